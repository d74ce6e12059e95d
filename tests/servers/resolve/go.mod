module mcsdns.test/resolve

go 1.26.0
