"""Reference solutions that forecasts are compared with: stored, continued, solved again, resampled."""
