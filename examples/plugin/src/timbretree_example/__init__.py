"""What timbretree does not have: a noisy-or head, subtitles, and folders of solos as a data set."""
