//! The service of one request: the right answer, and what the sickness makes of it.

use std::time::Instant;

use super::{Inside, Lab, Request};
use crate::k2hr3::answer::Answer;
use crate::k2hr3::http;
use crate::k2hr3::routes;
use crate::k2hr3::sickness::Sickness;

/// The bytes that the connection has to send.
#[derive(Debug)]
pub(in crate::k2hr3) struct Served {
    pub(in crate::k2hr3) answer: Answer,
    /// The way to send it, where that is sick too.
    pub(in crate::k2hr3) sickness: Option<Sickness>,
    pub(in crate::k2hr3) date: String,
}

impl Lab {
    /// Answers a request and writes it down.
    pub(in crate::k2hr3) fn serve(&self, request: &http::Request) -> Served {
        let at = Instant::now();
        if request.path().starts_with("/_lab") {
            return self.serve_control(request);
        }
        let mut inside = self.lock();
        let sickness = inside.sickness_for(request);
        let answer = inside.answer(request, sickness.as_ref());
        inside.note_changes();
        let status =
            sickness.as_ref().map_or(answer.status, |sickness| sickness.logged_status(answer.status));
        inside.log(Request {
            at,
            method: request.method.clone(),
            path: request.target.clone(),
            peer: request.peer,
            status,
        });
        let date = inside.state.clock.http_date();
        drop(inside);
        self.moved();
        Served { answer, sickness, date }
    }

    /// Records whether a connection is closed as soon as it was accepted.
    pub(in crate::k2hr3) fn refuses_connections(&self) -> bool {
        let mut inside = self.lock();
        let refuses = inside.illness.as_ref().is_some_and(|illness| illness.sickness == Sickness::Refuse);
        if refuses {
            inside.use_up_one();
            drop(inside);
            self.moved();
        }
        refuses
    }

    fn serve_control(&self, request: &http::Request) -> Served {
        let answer = self.control(request);
        let date = self.lock().state.clock.http_date();
        Served { answer, sickness: None, date }
    }
}

impl Inside {
    fn sickness_for(&mut self, request: &http::Request) -> Option<Sickness> {
        let sickness = self.illness.as_ref().filter(|illness| illness.strikes(request))?.sickness.clone();
        self.use_up_one();
        Some(sickness)
    }

    fn use_up_one(&mut self) {
        let Some(illness) = &mut self.illness else { return };
        if illness.is_over_after_one_more() {
            self.illness = None;
        }
    }

    fn answer(&mut self, request: &http::Request, sickness: Option<&Sickness>) -> Answer {
        let blinking = if request.reads_resource() { self.blinking.take() } else { None };
        let right = match sickness {
            Some(Sickness::LostRegistrations { share })
                if request.registers() && fastrand::f64() < *share =>
            {
                routes::answer(&mut self.state.clone(), request)
            }
            Some(Sickness::BlinkOnReregister) if request.registers() => self.answer_and_blink(request),
            Some(sickness) if sickness.changes_members() => {
                routes::answer(&mut sickness.seen_state(&self.state), request)
            }
            _ if blinking.is_some() => self.answer_without(request, blinking),
            _ => routes::answer(&mut self.state, request),
        };
        let answer = sickness.map_or(right.clone(), |sickness| sickness.spoil(request, right));
        answer.debugged(request).unless_known(request)
    }

    fn answer_and_blink(&mut self, request: &http::Request) -> Answer {
        let before = self.state.roles.clone();
        let answer = routes::answer(&mut self.state, request);
        self.blinking = self.state.roles.iter().find_map(|(name, role)| {
            let old = before.get(name)?;
            let key =
                role.hosts.records().map(super::HostRecord::key).find(|key| {
                    old.hosts.get(key).is_some_and(|stored| Some(stored) != role.hosts.get(key))
                })?;
            Some((name.clone(), key))
        });
        answer
    }

    fn answer_without(&self, request: &http::Request, hidden: Option<(String, String)>) -> Answer {
        let mut state = self.state.clone();
        if let Some((role, key)) = hidden
            && let Some(role) = state.roles.get_mut(&role)
        {
            role.hosts.remove_where(|record| record.key() == key);
        }
        routes::answer(&mut state, request)
    }
}

impl http::Request {
    /// A GET of a resource: a poll.
    pub(in crate::k2hr3) fn reads_resource(&self) -> bool {
        self.method == "GET" && self.path().starts_with("/v1/resource/")
    }

    /// A host entering a role.
    pub(in crate::k2hr3) fn registers(&self) -> bool {
        matches!(self.method.as_str(), "PUT" | "POST") && self.path().starts_with("/v1/role/")
    }
}
