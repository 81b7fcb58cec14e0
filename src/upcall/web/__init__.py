"""What tools that read the web stand on: checked addresses, bounded downloads, main text."""
