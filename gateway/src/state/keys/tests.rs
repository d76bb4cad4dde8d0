mod admission;
mod fetching;
mod refreshing;
