"""The console: pages in a browser that show a stack, served on loopback for the user of this machine."""
