"""Problems solved as a whole: geometry, random inputs and the solution."""
