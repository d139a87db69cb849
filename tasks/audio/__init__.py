"""Audio task: recordings of a user's own, as samples of sound or as spectra with labels."""
