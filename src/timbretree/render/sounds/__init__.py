"""What notes are played on: SoundFonts and recordings of single notes."""
