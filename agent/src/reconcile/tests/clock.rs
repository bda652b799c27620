//! Whatever is done to the wall clock, and a boot in between: what protects waits as long as it says.

use super::*;

/// The shipped waits, and no rest.
const SHIPPED: &str = "[poll]\nsettle = \"0s\"\nmax-settle = \"0s\"\n";

impl Stage {
    /// The agent is killed and started again.
    fn restart(&mut self) {
        let (settings, patient) = (self.reconciler.settings.clone(), self.reconciler.daemon);
        // Its lock goes with it.
        self.reconciler.store = Store::peek(&settings.state.directory, settings.ini.keep);
        let store = Store::open(&settings.state.directory, settings.ini.keep).unwrap();
        let clock = self.clocks.clock();
        self.reconciler = Reconciler::new(settings, Remembering::default(), store, patient, clock);
    }

    /// How long the file has this many servers after now, polled every five seconds; what is done before each poll.
    async fn shrinks_after(&mut self, servers: usize, mut before: impl FnMut(&mut Self, u32)) -> Duration {
        let begun = Instant::now();
        for poll in 0..1000 {
            before(self, poll);
            self.poll().await;
            if self.servers().len() < servers {
                return begun.elapsed();
            }
            tokio::time::advance(Duration::from_secs(5)).await;
        }
        panic!("the file keeps {servers} servers");
    }
}

/// Three servers of which K2HR3 shows one or two, after a first poll.
async fn three(answer: &[usize]) -> Stage {
    let mut stage = Stage::with(SHIPPED, true, vec![says(&[1, 2, 3]), says(answer)]);
    stage.poll().await;
    stage
}

#[tokio::test(start_paused = true)]
async fn a_step_of_the_wall_clock_takes_no_server_away_before_its_time() {
    let rules = Stage::with(SHIPPED, true, vec![]).reconciler.settings.guard;
    for (answer, time) in [(&[1][..], rules.confirm_for), (&[1, 2], rules.removal_for)] {
        let steady = three(answer).await.shrinks_after(3, |_, _| {}).await;
        assert!(steady >= time && steady < time * 2 + Duration::from_secs(30), "{steady:?}");
        let hour = Duration::from_hours(1);
        let stepped = three(answer).await.shrinks_after(3, |stage, _| stage.clocks.step(hour)).await;
        assert_eq!(stepped, steady, "{answer:?}");
        let back = three(answer).await.shrinks_after(3, |stage, _| stage.clocks.set_back(hour)).await;
        assert_eq!(back, steady, "{answer:?}");
        let restart = |stage: &mut Stage, _| {
            stage.clocks.step(hour);
            stage.restart();
        };
        let restarted = three(answer).await.shrinks_after(3, restart).await;
        assert_eq!(restarted, steady, "kept over restarts of the agent: {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_boot_in_between_begins_the_wait_anew_and_a_sleep_is_a_part_of_it() {
    let steady = three(&[1]).await.shrinks_after(3, |_, _| {}).await;
    let reboot = |stage: &mut Stage, poll| {
        if poll == 10 {
            stage.clocks.reboot();
            stage.restart();
        }
    };
    let rebooted = three(&[1]).await.shrinks_after(3, reboot).await;
    assert_eq!(rebooted, steady + Duration::from_secs(50));
    let sleep = |stage: &mut Stage, poll| {
        if poll == 1 {
            stage.clocks.sleep(Duration::from_hours(1));
        }
    };
    let mut stage = three(&[1]).await;
    let polls = stage.reconciler.settings.guard.confirm_polls - 1;
    assert_eq!(stage.shrinks_after(3, sleep).await, Duration::from_secs(5) * polls, "as many polls as ever");
}

#[tokio::test(start_paused = true)]
async fn servers_that_went_one_after_the_other_count_together_whatever_the_wall_clock_does() {
    let later = async |step: fn(&fixtures::Clocks)| {
        let answers = [&[1, 2, 3, 4][..], &[1, 2, 3], &[1, 2, 3], &[1, 2, 3]].map(says);
        let mut stage = Stage::with(SHIPPED, true, answers.into_iter().chain([says(&[1, 2])]).collect());
        for _ in 0..4 {
            stage.poll().await;
            tokio::time::advance(Duration::from_secs(10)).await;
        }
        assert_eq!(stage.servers().len(), 3);
        step(&stage.clocks);
        let Outcome::Held(held) = stage.poll().await else { panic!("{:?}", stage.servers()) };
        held.reasons
    };
    let told = "1 of 3 servers would go less than 5 min 0 s after 127.0.2.4:8021 went: 127.0.2.3:8021";
    let steps: [fn(&fixtures::Clocks); 3] =
        [|_| {}, |clocks| clocks.step(Duration::from_hours(1)), fixtures::Clocks::reboot];
    for step in steps {
        assert_eq!(later(step).await, [told]);
    }
}
