package farm

// GuangxiCode is the GB/T 2260 code of the Guangxi Zhuang Autonomous Region.
const GuangxiCode = "450000"

// Prefectures lists the fourteen prefecture-level cities of Guangxi in the
// order of their GB/T 2260 codes.
func Prefectures() []Region {
	return []Region{
		{"450100", Text{"南宁市", "Nanning"}},
		{"450200", Text{"柳州市", "Liuzhou"}},
		{"450300", Text{"桂林市", "Guilin"}},
		{"450400", Text{"梧州市", "Wuzhou"}},
		{"450500", Text{"北海市", "Beihai"}},
		{"450600", Text{"防城港市", "Fangchenggang"}},
		{"450700", Text{"钦州市", "Qinzhou"}},
		{"450800", Text{"贵港市", "Guigang"}},
		{"450900", Text{"玉林市", "Yulin"}},
		{"451000", Text{"百色市", "Baise"}},
		{"451100", Text{"贺州市", "Hezhou"}},
		{"451200", Text{"河池市", "Hechi"}},
		{"451300", Text{"来宾市", "Laibin"}},
		{"451400", Text{"崇左市", "Chongzuo"}},
	}
}

// Prefecture returns the prefecture that holds the division with this GB/T 2260
// code: 450521 lies in 450500, Beihai.
func Prefecture(code string) (Region, bool) {
	if len(code) != 6 {
		return Region{}, false
	}
	for _, r := range Prefectures() {
		if r.Code[:4] == code[:4] {
			return r, true
		}
	}
	return Region{}, false
}

// RegionContains reports whether the division with code inner lies in the one
// with code outer or is the same: 450000 holds 450500, which holds 450521.
func RegionContains(outer, inner string) bool {
	if len(outer) != 6 || len(inner) != 6 {
		return false
	}
	n := 6
	for n > 0 && outer[n-2:n] == "00" {
		n -= 2
	}
	return n > 0 && outer[:n] == inner[:n]
}
