package epcis

import "strings"

// A vocabulary is a set of bare words that the JSON binding has in place of
// URIs, and the prefix that makes a URI of each.
type vocabulary struct {
	name   string
	prefix string
	words  map[string]bool
	closed []string // URIs that begin so must be written as bare words
}

const (
	cbv  = "https://ref.gs1.org/cbv/"
	voc  = "https://gs1.org/voc/" // as the context of EPCIS 2.0.0 has it
	urns = "urn:epcglobal:cbv"
)

var (
	cbvForms = []string{urns, "http://ns.gs1.org/cbv/", "https://ns.gs1.org/cbv/"}
	vocForms = []string{"http://gs1.org/voc/", "https://gs1.org/voc/", "http://www.gs1.org/voc/", "https://www.gs1.org/voc/"}
)

func wordsOf(text string) map[string]bool {
	words := map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		words[word] = true
	}
	return words
}

// CBV 2.0 sections 7.1 to 7.7, and the measurement types of the GS1 Web
// Vocabulary that the schema of EPCIS 2.0 lists.
var (
	bizSteps = vocabulary{"business step", cbv + "BizStep-", wordsOf(`
		accepting arriving assembling collecting commissioning consigning creating_class_instance cycle_counting
		decommissioning departing destroying disassembling dispensing encoding entering_exiting holding inspecting
		installing killing loading other packing picking receiving removing repackaging repairing replacing reserving
		retail_selling sampling sensor_reporting shipping staging_outbound stock_taking stocking storing transporting
		unloading unpacking void_shipping`), cbvForms}
	dispositions = vocabulary{"disposition", cbv + "Disp-", wordsOf(`
		active available completeness_inferred completeness_verified conformant container_closed container_open damaged
		destroyed dispensed disposed encoded expired in_progress in_transit inactive mismatch_class mismatch_instance
		mismatch_quantity needs_replacement no_pedigree_match non_conformant non_sellable_other partially_dispensed
		recalled reserved retail_sold returned sellable_accessible sellable_not_accessible stolen unavailable unknown`), cbvForms}
	bizTransactionTypes = vocabulary{"business transaction type", cbv + "BTT-", wordsOf(`
		bol cert desadv inv pedigree po poc prodorder recadv rma testprd testres upevt`), cbvForms}
	sourceTypes  = vocabulary{"source or destination type", cbv + "SDT-", wordsOf("owning_party possessing_party location"), cbvForms}
	errorReasons = vocabulary{"error reason", cbv + "ER-", wordsOf("did_not_occur incorrect_data"), cbvForms}
	components   = vocabulary{"component", cbv + "Comp-", wordsOf(`
		x y z axial_distance azimuth height spherical_radius polar_angle elevation_angle easting northing latitude
		longitude altitude`), cbvForms}
	alerts       = vocabulary{"sensor alert type", voc, wordsOf("ALARM_CONDITION ERROR_CONDITION"), vocForms}
	measurements = vocabulary{"measurement type", voc, wordsOf(`
		AbsoluteHumidity AbsorbedDose AbsorbedDoseRate Acceleration Altitude AmountOfSubstance
		AmountOfSubstancePerUnitVolume Angle AngularAcceleration AngularMomentum AngularVelocity Area Capacitance
		Conductance Conductivity Count Density Dimensionless DoseEquivalent DoseEquivalentRate DynamicViscosity
		ElectricCharge ElectricCurrent ElectricCurrentDensity ElectricFieldStrength Energy Exposure Force Frequency
		Illuminance Inductance Irradiance KinematicViscosity Length LinearMomentum Luminance LuminousFlux
		LuminousIntensity MagneticFlux MagneticFluxDensity MagneticVectorPotential Mass MassConcentration MassFlowRate
		MassPerAreaTime MemoryCapacity MolalityOfSolute MolarEnergy MolarMass MolarVolume Power Pressure RadiantFlux
		RadiantIntensity Radioactivity RelativeHumidity Resistance Resistivity SolidAngle SpecificVolume Speed
		SurfaceDensity SurfaceTension Temperature Time Torque Voltage Volume VolumeFlowRate VolumeFraction
		VolumetricFlux Wavenumber`), vocForms}
)

// expand returns the URI of a bare word, and other text as it is.
func (v vocabulary) expand(text string) string {
	if v.words[text] {
		return v.prefix + text
	}
	return text
}
