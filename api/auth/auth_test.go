package auth_test

import (
	"slices"
	"testing"

	"tianhai/api/auth"
)

// TestFind: who works at a farm or watches over farms looks operators up, whatever the
// object.
func TestFind(t *testing.T) {
	for who, may := range map[auth.Principal]bool{
		{Role: auth.Administrator}: true, {Role: auth.Manager, Tenant: "tea"}: true, {Role: auth.Farmer, Tenant: "tea"}: true,
		{Role: auth.Bureau, Region: "450400"}: true, {Role: auth.Inspector, Region: "450400"}: true,
		{Role: auth.Manager}: false, {Role: auth.Farmer}: false, {Role: auth.Bureau}: false, {Role: auth.Bureau, Region: "000000"}: false,
		{Role: auth.Laboratory, Tenant: "lab"}: false, {Role: auth.Device, Tenant: "tea"}: false, {}: false, {Role: "invented", Tenant: "tea"}: false,
	} {
		if got := auth.Can(who, auth.Find, auth.Object{}); got != may {
			t.Errorf("%+v finds: %v", who, got)
		}
	}
}

// TestManage: nobody makes himself more than he is, nor those who watch over him.
func TestManage(t *testing.T) {
	farmer, manager, lab := auth.Object{Tenant: "tea", Role: auth.Farmer}, auth.Object{Tenant: "tea", Role: auth.Manager}, auth.Object{Tenant: "tea", Role: auth.Laboratory}
	inspector, officer, county := auth.Object{Region: "450400", Role: auth.Inspector}, auth.Object{Region: "450400", Role: auth.Bureau}, auth.Object{Region: "450481", Role: auth.Bureau}
	other, admin := auth.Object{Tenant: "oysters", Role: auth.Farmer}, auth.Object{Role: auth.Administrator}
	all := []auth.Object{farmer, manager, lab, inspector, officer, county, other, admin}
	for who, may := range map[auth.Principal][]auth.Object{
		{Role: auth.Administrator}:               all,
		{Role: auth.Manager, Tenant: "tea"}:      {farmer, manager},
		{Role: auth.Bureau, Region: "450400"}:    {inspector, county},
		{Role: auth.Bureau, Region: "450000"}:    {inspector, officer, county},
		{Role: auth.Bureau, Region: "450481"}:    {},
		{Role: auth.Inspector, Region: "450400"}: {},
		{Role: auth.Farmer, Tenant: "tea"}:       {},
		{Role: auth.Laboratory, Tenant: "tea"}:   {},
		{Role: auth.Device, Tenant: "tea"}:       {},
		{Role: auth.Manager}:                     {},
		{Role: auth.Bureau}:                      {},
		{}:                                       {},
	} {
		for _, o := range all {
			if got := auth.Can(who, auth.Manage, o); got != slices.Contains(may, o) {
				t.Errorf("%+v manages %+v: %v", who, o, got)
			}
		}
	}
}

// TestCan goes through every role, action and relation to the object.
func TestCan(t *testing.T) {
	everything := []auth.Action{auth.Read, auth.Write, auth.Command, auth.Administer, auth.Inspect, auth.Report, "", "invent", auth.Override, auth.Recall, auth.CloseRecall}
	farming, managing := everything[:3], append(slices.Clone(everything[:4]), auth.Recall)
	deciding, keeping := []auth.Action{auth.Read, auth.Override, auth.Recall, auth.CloseRecall}, everything[:len(everything)-3]
	inspecting, reporting := []auth.Action{auth.Read, auth.Inspect}, []auth.Action{auth.Read, auth.Report}
	objects := map[string]auth.Object{
		"own":             {Tenant: "tea", Region: "450406"},
		"other in region": {Tenant: "oysters", Region: "450481"},
		"other elsewhere": {Tenant: "oysters", Region: "450702"},
		"of nobody":       {},
		"region alone":    {Region: "450406"},
		"nowhere":         {Tenant: "oysters", Region: "000000"},
		"sample":          {Tenant: "oysters", Region: "450702", Laboratory: "lab"},
	}
	tests := map[string]struct {
		who auth.Principal
		may map[string][]auth.Action // by object; nothing where it is not named
	}{
		"administrator": {auth.Principal{Role: auth.Administrator}, map[string][]auth.Action{
			"own": keeping, "other in region": keeping, "other elsewhere": keeping,
			"of nobody": keeping, "region alone": keeping, "nowhere": keeping, "sample": keeping,
		}},
		"bureau of the city": {auth.Principal{Role: auth.Bureau, Region: "450400"}, map[string][]auth.Action{
			"own": deciding, "other in region": deciding, "region alone": deciding,
		}},
		"bureau of Guangxi": {auth.Principal{Role: auth.Bureau, Region: "450000"}, map[string][]auth.Action{
			"own": deciding, "other in region": deciding, "other elsewhere": deciding, "region alone": deciding, "sample": deciding,
		}},
		"bureau of a county":        {auth.Principal{Role: auth.Bureau, Region: "450481"}, map[string][]auth.Action{"other in region": deciding}},
		"bureau of nowhere":         {auth.Principal{Role: auth.Bureau}, nil},
		"bureau of the whole world": {auth.Principal{Role: auth.Bureau, Region: "000000"}, nil},
		"bureau with a tenant":      {auth.Principal{Role: auth.Bureau, Tenant: "tea"}, nil},
		"inspector": {auth.Principal{Role: auth.Inspector, Region: "450400"}, map[string][]auth.Action{
			"own": inspecting, "other in region": inspecting, "region alone": inspecting,
		}},
		"inspector of nowhere":          {auth.Principal{Role: auth.Inspector}, nil},
		"inspector with a tenant":       {auth.Principal{Role: auth.Inspector, Tenant: "tea"}, nil},
		"laboratory":                    {auth.Principal{Role: auth.Laboratory, Tenant: "lab"}, map[string][]auth.Action{"sample": reporting}},
		"another laboratory":            {auth.Principal{Role: auth.Laboratory, Tenant: "tea"}, nil},
		"laboratory of nobody":          {auth.Principal{Role: auth.Laboratory}, nil},
		"device":                        {auth.Principal{Login: "do-1", Role: auth.Device, Tenant: "tea"}, nil},
		"manager":                       {auth.Principal{Role: auth.Manager, Tenant: "tea"}, map[string][]auth.Action{"own": managing}},
		"manager with a region":         {auth.Principal{Role: auth.Manager, Tenant: "tea", Region: "450000"}, map[string][]auth.Action{"own": managing}},
		"manager of nobody":             {auth.Principal{Role: auth.Manager}, nil},
		"farmer":                        {auth.Principal{Role: auth.Farmer, Tenant: "tea"}, map[string][]auth.Action{"own": farming}},
		"farmer of nobody":              {auth.Principal{Role: auth.Farmer}, nil},
		"writer":                        {auth.Principal{Role: auth.Writer, Tenant: "tea"}, map[string][]auth.Action{"own": {auth.Read, auth.Write, auth.Administer}}},
		"writer of nobody":              {auth.Principal{Role: auth.Writer}, nil},
		"reader":                        {auth.Principal{Role: auth.Reader, Tenant: "tea"}, map[string][]auth.Action{"own": {auth.Read}}},
		"reader of nobody":              {auth.Principal{Role: auth.Reader}, nil},
		"no role":                       {auth.Principal{Tenant: "tea", Region: "450000"}, nil},
		"unknown role":                  {auth.Principal{Role: "Administrator", Tenant: "tea", Region: "450000"}, nil},
		"nobody, who has not logged in": {auth.Principal{}, nil},
	}
	for name, tt := range tests {
		for object, o := range objects {
			for _, a := range everything {
				want := slices.Contains(tt.may[object], a)
				if got := auth.Can(tt.who, a, o); got != want {
					t.Errorf("%s, %q, %s: %t, want %t", name, a, object, got, want)
				}
			}
		}
	}
}

func TestAccountCheck(t *testing.T) {
	good := map[string]auth.Account{
		"administrator": {Login: "root", Role: auth.Administrator},
		"bureau":        {Login: "wei", Role: auth.Bureau, Region: "450700"},
		"manager":       {Login: "li", Role: auth.Manager, Tenant: "tea"},
		"farmer":        {Login: "chen", Role: auth.Farmer, Tenant: "tea"},
		"inspector":     {Login: "lu", Role: auth.Inspector, Region: "450700"},
		"laboratory":    {Login: "qin", Role: auth.Laboratory, Tenant: "lab"},
	}
	for name, a := range good {
		if err := a.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := map[string]auth.Account{
		"login":                       {Login: "A B", Role: auth.Administrator},
		"no role":                     {Login: "x"},
		"unknown role":                {Login: "x", Role: "root"},
		"bureau of nowhere":           {Login: "x", Role: auth.Bureau},
		"bureau of the whole world":   {Login: "x", Role: auth.Bureau, Region: "000000"},
		"bureau with a tenant":        {Login: "x", Role: auth.Bureau, Region: "450700", Tenant: "tea"},
		"farmer of nobody":            {Login: "x", Role: auth.Farmer},
		"inspector with a tenant":     {Login: "x", Role: auth.Inspector, Region: "450700", Tenant: "tea"},
		"laboratory of nobody":        {Login: "x", Role: auth.Laboratory},
		"device":                      {Login: "x", Role: auth.Device, Tenant: "tea"},
		"manager with a region":       {Login: "x", Role: auth.Manager, Tenant: "tea", Region: "450700"},
		"administrator with a tenant": {Login: "x", Role: auth.Administrator, Tenant: "tea"},
	}
	for name, a := range bad {
		if a.Check() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
