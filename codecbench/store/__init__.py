"""What a run leaves on disk: records, manifest, kept speech, one writer a folder."""
