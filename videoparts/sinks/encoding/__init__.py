"""How a video file is made: its encoder, containers, colours and sound."""
