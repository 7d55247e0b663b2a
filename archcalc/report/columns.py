COLUMNS=["type","window","output_hwc","depth","params","mult_adds"]
