"""What pass 1 looks at: `sampler` draws frames, and notes of each its saliency, its motion and the user's marks."""
