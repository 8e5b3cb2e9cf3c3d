//! Times, as people and platforms write them.

use chrono::{DateTime, Local, NaiveDateTime, Utc};

/// A time on the clock of this machine.
pub(crate) fn local(time: NaiveDateTime) -> Option<DateTime<Utc>> {
    Some(time.and_local_timezone(Local).earliest()?.to_utc())
}

/// Reads a time on the clock of this machine, in the first format that fits.
pub(crate) fn read(
    text: &str,
    formats: &[impl AsRef<str>],
) -> Option<DateTime<Utc>> {
    let read =
        |it: &_| NaiveDateTime::parse_from_str(text, AsRef::as_ref(it)).ok();
    local(formats.iter().find_map(read)?)
}

/// Reads a time with its zone, such as `2026-10-05 23:59:10.5 UTC`.
pub(crate) fn zoned(text: &str) -> Option<DateTime<Utc>> {
    let zoned = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%F %T%.f %z"));
    if let Ok(time) = zoned {
        return Some(time.to_utc());
    }
    let text = text.trim().trim_end_matches(['Z', 'U', 'T', 'C', ' ']);
    let time = NaiveDateTime::parse_from_str(text, "%F %T%.f");
    Some(time.ok()?.and_utc())
}

/// Reads the time at which homework is due: the end of a day, if it is a day.
pub(crate) fn due(text: &str) -> Result<DateTime<Utc>, String> {
    let zoned = DateTime::parse_from_rfc3339(text);
    let zoned = zoned.ok().map(|it| it.to_utc());
    zoned
        .or_else(|| read(text, &["%F %H:%M", "%FT%H:%M", "%F %T"]))
        .or_else(|| read(&format!("{text} 23:59:59"), &["%F %T"]))
        .ok_or_else(|| {
            "expected a time such as \"2026-10-31 23:59\"".to_string()
        })
}

/// A duration for a reader.
pub(crate) fn duration(minutes: u64) -> String {
    let (days, hours) = (minutes / 1440, minutes / 60 % 24);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::{due, duration, zoned};

    #[test]
    fn a_time_may_be_a_day_or_have_a_zone() {
        assert!(due("2026-10-05").unwrap() > due("2026-10-05 23:59").unwrap());
        assert!(due("2026-10-05T23:59:00+01:00").is_ok());
        assert!(due("tomorrow").is_err());
        for text in [
            "2026-10-05 08:00:00.5 UTC",
            "2026-10-05 08:00:00.500000000 Z",
            "2026-10-05 10:00:00.5 +0200",
            "2026-10-05T08:00:00.5Z",
        ] {
            let millis = zoned(text).unwrap().timestamp_millis();
            assert_eq!(millis, 1_791_187_200_500, "{text}");
        }
    }

    #[test]
    fn a_duration_has_two_units() {
        assert_eq!(duration(1531), "1 d 1 h");
        assert_eq!(duration(61), "1 h 1 min");
        assert_eq!(duration(59), "59 min");
    }
}
