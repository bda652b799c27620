//! What is remembered of signals.

use super::*;

const ID: Identity = Identity { pid: 7, ticks: 100 };
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

fn stop(memory: &mut Memory, now: Instant) -> Next {
    memory.stop(Program::Chmpx, ID, Duration::from_secs(20), now, "it is deaf")
}

#[test]
fn a_process_that_may_not_be_signalled_is_held_and_tried_again_ever_more_seldom() {
    let (mut memory, mut now) = (Memory::default(), Instant::now());
    let hangup = Next::Step(Step::Send(Program::Chmpx, ID, Signal::Hangup), "it is deaf".into());
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        // Never SIGKILL: it was not asked to end yet.
        assert_eq!(stop(&mut memory, now), hangup);
        memory.unheard(ID, "run the agent as root", now, BACKOFF);
        let text = "chmpx (pid 7) must stop (it is deaf): run the agent as root".to_owned();
        let pause = Duration::from_secs(seconds);
        assert_eq!(stop(&mut memory, now), Next::Hold(text, pause));
        assert!(!memory.asked_to_end(ID), "its end will be no doing of the agent");
        now += pause;
    }
    assert_eq!(stop(&mut memory, now), hangup);
    assert!(matches!(stop(&mut memory, now), Next::Wait(..)), "this time it was heard");
}
