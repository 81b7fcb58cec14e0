"""What tests share: sample events, whole runs, canned servers."""
