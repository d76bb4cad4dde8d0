//! The fields of `GEO`: where a record has them, and how they are written.

use maxminddb::PathElement;
use maxminddb::PathElement::{Index, Key};

use super::Place;
use crate::bytes::push_display;

/// Longest text that is shown, in bytes; names of places have a tenth of it.
const TEXT_BYTES_MAX: usize = 512;

/// Codes of countries, ISO 3166-1: a line each, alpha-2 and alpha-3, sorted. With Kosovo, which has none of its own:
/// databases have it under a code that the standard leaves to its users.
const COUNTRIES: &str = include_str!("countries.txt");

type Path = &'static [PathElement<'static>];

/// A key of `GEO`.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// Where records have it; the first that is there is taken.
    paths: &'static [Path],
    form: Form,
}

#[derive(Debug)]
enum Form {
    Text,
    /// The alpha-3 code of a country whose alpha-2 code the record has.
    Alpha3,
    /// With six decimals, as ModSecurity writes them.
    Degrees,
    Number,
}

const COUNTRY: Path = &[Key("country"), Key("iso_code")];
const REGION: Path = &[Key("subdivisions"), Index(0), Key("iso_code")];
const REGION_NAME: Path = &[Key("subdivisions"), Index(0), Key("names"), Key("en")];

/// As ModSecurity's manual lists them. `AREA_CODE` was a field of the old format alone.
pub(crate) static FIELDS: &[Field] = &[
    field("COUNTRY_CODE", &[COUNTRY], Form::Text),
    field("COUNTRY_CODE3", &[COUNTRY], Form::Alpha3),
    field("COUNTRY_NAME", &[&[Key("country"), Key("names"), Key("en")]], Form::Text),
    field("COUNTRY_CONTINENT", &[&[Key("continent"), Key("code")]], Form::Text),
    field("REGION", &[REGION, REGION_NAME], Form::Text),
    field("CITY", &[&[Key("city"), Key("names"), Key("en")]], Form::Text),
    field("POSTAL_CODE", &[&[Key("postal"), Key("code")]], Form::Text),
    field("LATITUDE", &[&[Key("location"), Key("latitude")]], Form::Degrees),
    field("LONGITUDE", &[&[Key("location"), Key("longitude")]], Form::Degrees),
    field("DMA_CODE", &[&[Key("location"), Key("metro_code")]], Form::Number),
];

const fn field(name: &'static str, paths: &'static [Path], form: Form) -> Field {
    Field { name, paths, form }
}

impl Field {
    /// Appends what a place has here; false if that is nothing, or not what belongs here.
    pub(crate) fn write(&self, place: &Place<'_>, out: &mut Vec<u8>) -> bool {
        let mut paths = self.paths.iter();
        match self.form {
            Form::Text => push(paths.find_map(|path| place.text(path)), out),
            Form::Alpha3 => push(paths.find_map(|path| place.text(path)).and_then(alpha3), out),
            Form::Degrees => {
                let degrees = paths.find_map(|path| place.degrees(path));
                degrees.map(|degrees| push_display(format_args!("{degrees:.6}"), out)).is_some()
            }
            Form::Number => {
                let number = paths.find_map(|path| place.number(path));
                number.map(|number| push_display(number, out)).is_some()
            }
        }
    }
}

fn push(text: Option<&str>, out: &mut Vec<u8>) -> bool {
    text.map(|text| out.extend_from_slice(text.as_bytes())).is_some()
}

/// Values of another type than asked for are as good as none: the file is not ours.
impl<'a> Place<'a> {
    fn text(&self, path: Path) -> Option<&'a str> {
        let text: &str = self.0.decode_path(path).ok()??;
        (!text.is_empty() && text.len() <= TEXT_BYTES_MAX).then_some(text)
    }

    fn degrees(&self, path: Path) -> Option<f64> {
        // Some makers save four bytes.
        let single = || self.0.decode_path::<f32>(path).ok()?.map(f64::from);
        self.0.decode_path::<f64>(path).ok().flatten().or_else(single)
    }

    fn number(&self, path: Path) -> Option<u32> {
        let wide = || self.0.decode_path::<u32>(path).ok()?;
        self.0.decode_path::<u16>(path).ok().flatten().map(u32::from).or_else(wide)
    }
}

/// The alpha-3 code of a country.
fn alpha3(alpha2: &str) -> Option<&'static str> {
    let (rows, _) = COUNTRIES.as_bytes().as_chunks::<7>();
    let row = rows.binary_search_by(|row| row[..2].cmp(alpha2.as_bytes())).ok()?;
    COUNTRIES.get(7 * row + 3..7 * row + 6)
}
