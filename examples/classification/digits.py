"""Write digits.csv: 1,797 handwritten digits of scikit-learn, read from top to bottom, a row of 8 pixels at a time."""

import pandas as pd
from sklearn.datasets import load_digits

digits = load_digits()
rows = [
    {"id": number, "time": time, **{f"pixel {column}": int(value) for column, value in enumerate(row)}, "label": label}
    for number, (image, label) in enumerate(zip(digits.images, digits.target, strict=True))
    for time, row in enumerate(image)
]
pd.DataFrame(rows).to_csv("digits.csv", index=False)
