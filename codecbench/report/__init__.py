"""Tables, figures and the page: what a paper prints and a reader listens to."""
