"""Makes data sets of rendered music, in OpenMIC's form, whose whole truth is known."""
