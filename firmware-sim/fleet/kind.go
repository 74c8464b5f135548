package fleet

// A Channel is one value that a kind of device reports.
type Channel struct {
	Name     string // member of the payload
	Quantity string // what it measures: medium, dot, field, as "air.temperature"
	Unit     string // UCUM
	Digits   int    // decimals reported
	Sum      bool   // the amount since the report before, not a level
	noise    float64
	// low and high are what the instrument can show; a fault may exceed them.
	low, high float64
}

// A Kind is a type of device: what it reports and which commands it obeys.
type Kind struct {
	Name     string
	Channels []Channel // in the order of the payload
	Commands []string  // each takes "on" or "off", and is reported as a channel of that name, 1 or 0
	model    func(site) model
	// settle is how long the model runs before it is first asked, so that what
	// it says does not depend on when it began.
	settle float64
}

// A site is what a model knows of the place where it stands.
type site struct {
	own   source     // differs from device to device
	begin float64    // when the model starts to settle
	low   [2]float64 // the night of low oxygen, from and until
	haste float64    // of the oxygen in that night
	door  [2]float64 // when it stands open, from and until
}

// A model is the physics of one place. It moves in steps of fixed length on a
// grid common to all runs.
type model interface {
	// advance moves the model from t over dt seconds under the weather w.
	advance(t, dt float64, w weather)
	// observe tells the true value of each channel at t, and the total since
	// ever of each channel that sums.
	observe(t float64, w weather, tell func(channel string, value float64))
	clone() model
}

// Kinds lists the kinds of device:
//
//	raft     oyster raft, water station in a tidal estuary
//	pond     shrimp pond, water station with aerator and feeder
//	garden   tea garden, weather and soil station
//	orchard  citrus orchard, weather and soil station
//	barn     pig barn, climate and water meter
//	logger   cold box of a truck, temperature logger
func Kinds() []Kind {
	battery := Channel{"battery", "device.battery", "V", 2, false, 0.01, 0, 15}
	temperature := Channel{"temperature", "water.temperature", "Cel", 2, false, 0.03, -2, 45}
	sal := Channel{"salinity", "water.salinity", "1", 2, false, 0.03, 0, 42}
	ph := Channel{"ph", "water.ph", "[pH]", 2, false, 0.01, 0, 14}
	oxygen := Channel{"dissolved_oxygen", "water.dissolved_oxygen", "mg/L", 2, false, 0.04, 0, 25}
	saturation := Channel{"oxygen_saturation", "water.oxygen_saturation", "%", 1, false, 0, 0, 300}
	land := []Channel{
		{"air_temperature", "air.temperature", "Cel", 1, false, 0.08, -20, 60},
		{"humidity", "air.humidity", "%", 1, false, 0.6, 0, 100},
		{"soil_moisture", "soil.moisture", "%", 1, false, 0.08, 0, 100},
		{"soil_temperature", "soil.temperature", "Cel", 1, false, 0.05, -10, 60},
		{"illuminance", "air.illuminance", "lx", 0, false, 3, 0, 200000},
		{"rain", "air.rain", "mm", 1, true, 0, 0, 100},
		{"wind_speed", "air.wind_speed", "m/s", 1, false, 0.15, 0, 75},
		battery,
	}
	return []Kind{
		{"raft", []Channel{
			temperature, sal,
			{"conductivity", "water.conductivity", "mS/cm", 2, false, 0, 0, 80},
			ph, oxygen, saturation,
			{"turbidity", "water.turbidity", "{NTU}", 1, false, 0.5, 0, 4000},
			{"depth", "water.depth", "m", 2, false, 0.01, 0, 200},
			battery,
		}, nil, newRaft, 15 * day},
		{"pond", []Channel{
			temperature, oxygen, ph, sal, saturation,
			{"aerator", "device.aerator", "1", 0, false, 0, 0, 1},
			{"feeder", "device.feeder", "1", 0, false, 0, 0, 1},
			battery,
		}, []string{"aerator", "feeder"}, newPond, 20 * day},
		{"garden", land, nil, newGarden, 60 * day},
		{"orchard", land, nil, newOrchard, 60 * day},
		{"barn", []Channel{
			{"temperature", "air.temperature", "Cel", 1, false, 0.08, -20, 60},
			{"humidity", "air.humidity", "%", 1, false, 0.6, 0, 100},
			{"ammonia", "air.ammonia", "[ppm]", 1, false, 0.2, 0, 500},
			{"water_intake", "animal.water_intake", "L", 1, true, 0, 0, 10000},
			battery,
		}, nil, newBarn, 2 * day},
		{"logger", []Channel{
			{"temperature", "air.temperature", "Cel", 1, false, 0.05, -40, 60},
			battery,
		}, nil, newBox, day},
	}
}

// lookupKind returns the kind of this name.
func lookupKind(name string) (Kind, bool) {
	for _, k := range Kinds() {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

// batteryAt is a lead-acid battery of 12 V that the sun charges.
func batteryAt(t float64, w weather) float64 {
	night := clamp((solarHour(t)-18)/12, 0, 1)
	if solarHour(t) < 8 {
		night = clamp((solarHour(t)+6)/12, 0, 1)
	}
	return 12.7 - 0.4*night + 0.9*w.sun/1000
}
