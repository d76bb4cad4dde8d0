//! Places of addresses: a database that `SecGeoLookupDb` names, and what `GEO` shows of its records.
//!
//! Files are in MaxMind's format (<https://maxmind.github.io/MaxMind-DB/>), records as in GeoIP2 City and Country.

mod fields;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use maxminddb::{LookupResult, Reader, WithinOptions};
use sha1_smol::Sha1;

pub(crate) use fields::FIELDS;

/// Largest database, in bytes. GeoLite2 City has about 60 MiB, the cities that are sold twice that.
pub(crate) const DATABASE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Work of finding the record of an address: up to 128 steps, many of which miss the caches.
pub(crate) const LOOK_UP_COST: u64 = 1_000;
/// Work of reading a field of a record: the names in other languages are passed over one by one.
pub(crate) const FIELD_COST: u64 = 2_000;

/// Networks of a database that are looked at to tell whether it is one of places at all.
const NETWORKS_TRIED: usize = 10_000;
/// What a database that is refused should have been.
const EXPECTED: &str = "expected a MaxMind DB (.mmdb) like GeoLite2-City or GeoLite2-Country";

/// The databases in use: rule sets that name the same content share it.
static IN_USE: Mutex<Vec<Weak<Database>>> = Mutex::new(Vec::new());

/// A database in memory.
#[derive(Debug)]
pub(crate) struct Database {
    reader: Reader<Vec<u8>>,
    digest: [u8; 20],
}

/// What a database holds of one address.
pub(crate) struct Place<'a>(LookupResult<'a, Vec<u8>>);

impl Database {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, has more than [`DATABASE_BYTES_MAX`] bytes, or is no database of places.
    pub(crate) fn read(path: &Path) -> Result<Arc<Self>, String> {
        let bytes = bytes(path)?;
        let legacy = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("dat"));
        Self::shared(bytes).map_err(|error| {
            let legacy = if legacy { "a .dat file of GeoIP Legacy is not read: " } else { "" };
            format!("{legacy}{error}, {EXPECTED}")
        })
    }

    /// The database of this content that is in use, or a new one.
    fn shared(bytes: Vec<u8>) -> Result<Arc<Self>, String> {
        let digest = Sha1::from(&bytes).digest().bytes();
        let mut known = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|database| database.strong_count() > 0);
        let same = known.iter().filter_map(Weak::upgrade).find(|known| known.digest == digest);
        if let Some(database) = same {
            return Ok(database);
        }
        let database = Arc::new(Self::parse(bytes, digest)?);
        known.push(Arc::downgrade(&database));
        Ok(database)
    }

    fn parse(bytes: Vec<u8>, digest: [u8; 20]) -> Result<Self, String> {
        let reader = Reader::from_source(bytes).map_err(|error| error.to_string())?;
        let database = Self { reader, digest };
        if database.is_of_places() {
            return Ok(database);
        }
        let kind = &database.reader.metadata().database_type;
        Err(format!("`{kind}` has nothing that GEO shows in its first {NETWORKS_TRIED} networks"))
    }

    /// SHA-1 of the file.
    pub(crate) fn digest(&self) -> &[u8; 20] {
        &self.digest
    }

    /// What is known of an address, if anything is.
    pub(crate) fn place(&self, address: IpAddr) -> Option<Place<'_>> {
        // Not every database has IPv4 a second time under ::ffff:0:0/96.
        let found = self.reader.lookup(address.to_canonical()).ok()?;
        found.has_data().then_some(Place(found))
    }

    /// Databases of networks' owners, of proxies and of other things have the same format.
    fn is_of_places(&self) -> bool {
        // With the networks that are there twice and those that nothing is known of: a broken file may have any number
        // of them, and each counts.
        let all =
            WithinOptions::default().include_aliased_networks().include_networks_without_data();
        let Ok(networks) = self.reader.networks(all) else { return false };
        let places = networks.take(NETWORKS_TRIED).filter_map(Result::ok).map(Place);
        places.into_iter().any(|place| place.tells_something())
    }
}

impl Place<'_> {
    fn tells_something(&self) -> bool {
        let mut text = Vec::new();
        FIELDS.iter().any(|field| field.write(self, &mut text))
    }
}

/// The bytes of a file, bounded whatever it says of its size.
fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    let mut bytes = Vec::new();
    if size <= DATABASE_BYTES_MAX {
        bytes.reserve_exact(usize::try_from(size).unwrap_or(0));
        let mut bounded = file.take(DATABASE_BYTES_MAX + 1);
        bounded.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    }
    let size = size.max(bytes.len() as u64);
    if size > DATABASE_BYTES_MAX {
        return Err(format!("file has {size} bytes, bound {DATABASE_BYTES_MAX}"));
    }
    Ok(bytes)
}
