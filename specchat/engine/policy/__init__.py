"""How many draft tokens pay: measured costs against calibrated chances."""
