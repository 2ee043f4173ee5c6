module eventstream

go 1.18
