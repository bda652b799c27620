//! A change in words, for the log, `status` and `leave`.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

use super::{Begun, Ended, Outcome, Who};
use crate::clock::spoken;
use crate::ring_change::prediction::Prediction;

impl Display for Prediction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "predicted stop {}", spoken(self.stop))?;
        match self.keys {
            Some(keys) => write!(f, " for about {keys} keys"),
            None => f.write_str(", by the last changes"),
        }
    }
}

impl Display for Begun {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(from) = self.from {
            write!(f, "{}; ", servers(from))?;
        }
        self.who.fmt(f)?;
        self.predicted.map_or(Ok(()), |predicted| write!(f, "; {predicted}"))
    }
}

impl Display for Ended {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.result == Outcome::Undone {
            f.write_str("taken back; ")?;
        }
        match self.from {
            Some(from) if from != self.to => write!(f, "{from} to {}; ", servers(self.to))?,
            _ => write!(f, "{}; ", servers(self.to))?,
        }
        write!(f, "{}; stop {}", self.who, spoken(self.stop))?;
        if !self.copy.is_zero() {
            write!(f, ", of which the copy {}", spoken(self.copy))?;
        }
        self.predicted.map_or(Ok(()), |predicted| write!(f, "; {predicted}"))?;
        if self.cut.is_zero() {
            return Ok(());
        }
        write!(
            f,
            "; the copy was cut off after {}, before slaves would go on in the middle of it: the next change is predicted to take \
             twice that time, see merge.freeze and merge.longest-stop",
            spoken(self.cut)
        )
    }
}

fn servers(number: usize) -> String {
    if number == 1 { "1 server".to_owned() } else { format!("{number} servers") }
}

impl Display for Who {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let part = |names: &BTreeSet<String>, verb: &str| {
            let names = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            (!names.is_empty()).then(|| format!("{verb}: {names}"))
        };
        let parts = [
            part(&self.joining, "joining"),
            part(&self.leaving, "leaving"),
            part(&self.returning, "returning"),
        ];
        let parts = parts.into_iter().flatten().collect::<Vec<_>>();
        f.write_str(&if parts.is_empty() { "nobody in sight".to_owned() } else { parts.join("; ") })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_change_names_its_servers_its_prediction_and_what_it_took() {
        let predicted = Some(Prediction { keys: Some(20_000), stop: Duration::from_millis(6900) });
        let who = Who { joining: ["d".to_owned()].into(), ..Who::default() };
        let begun = Begun { from: Some(3), who: who.clone(), predicted };
        assert_eq!(begun.to_string(), "3 servers; joining: d; predicted stop 6.9 s for about 20000 keys");
        let ended = Ended {
            from: Some(3),
            to: 4,
            who,
            predicted,
            stop: Duration::from_millis(7100),
            copy: Duration::from_millis(5600),
            cut: Duration::ZERO,
            result: Outcome::Done,
        };
        let text = "3 to 4 servers; joining: d; stop 7.1 s, of which the copy 5.6 s; predicted stop 6.9 s for about 20000 \
                    keys";
        assert_eq!(ended.to_string(), text);
        let undone = Ended { to: 3, copy: Duration::ZERO, predicted: None, result: Outcome::Undone, ..ended };
        assert_eq!(undone.to_string(), "taken back; 3 servers; joining: d; stop 7.1 s");
        let cut = Ended { cut: Duration::from_secs(16), ..undone };
        let text = "taken back; 3 servers; joining: d; stop 7.1 s; the copy was cut off after 16.0 s, before slaves would go on \
                    in the middle of it: the next change is predicted to take twice that time, see merge.freeze and \
                    merge.longest-stop";
        assert_eq!(cut.to_string(), text);
    }
}
