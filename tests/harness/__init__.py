"""What the black-box tests share: a strict raw HTTP client, the daemon as a process, files whose bytes follow from their offset."""
