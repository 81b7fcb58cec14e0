"""What a run is: rules and values, without AWS, OpenAI, clock or environment."""
