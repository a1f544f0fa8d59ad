"""Where masks end: `formats` names what they can be written as. Every output appears only when complete."""
