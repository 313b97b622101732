//! The shell: somebody types commands, the root task carries them out.

use lilliput_abi::object::{fact, kind};
use lilliput_abi::{Isolation, Rights};
use lilliput_runtime::demo::DEMOS;
use lilliput_runtime::disk::BUFFER_PAGES;
use lilliput_runtime::object::Arena;
use lilliput_runtime::shell::request::{self, Bits, TaskLine};
use lilliput_runtime::{Message, Notification, Word, place, role};
use lilliput_user64::Native;

use super::disk;
use crate::failure::{Failure, context};
use crate::settings::Settings;
use crate::spawn::{Child, Space};
use crate::supervisor::{Id, Supervisor};
use crate::{FACTORY, SYSTEM};

/// The shell runs before what it starts, so that ^C is heard.
const SHELL_PRIORITY: u8 = 40;
const DEMO_PRIORITY: u8 = 16;
const DEMO_SIZE: u32 = 4 << 20;

/// The shell and what it has started.
struct Session {
    shell: Id,
    arena: Arena<Native>,
    isolation: Isolation,
    /// By which the shell is told that its demonstration has ended.
    ended: Notification<Native>,
    demo: Option<Id>,
    khz: u64,
}

/// Runs until the shell ends.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    let keyboard = supervisor.keyboard.ok_or_else(|| Failure::new("the console has no input"))?;
    let shell = supervisor.create("64/shell", "shell", Space::Wide)?;
    keyboard.give(supervisor.child(shell))?;
    supervisor.child(shell).grant(place::SYSTEM, SYSTEM.place(), Rights::SEND, 0)?;
    if settings.disk {
        disk::Disk::start(supervisor, BUFFER_PAGES, None)?.give(supervisor.child(shell))?;
    }
    let mut session = Session {
        shell,
        arena: context(FACTORY.create_arena(), "an arena for demonstrations")?,
        isolation: settings.isolation,
        ended: context(keyboard.signaller(Bits::ENDED), "the shell's notification")?,
        demo: None,
        khz: context(SYSTEM.fact(fact::TSC_KHZ), "the clock's frequency")?.max(1),
    };
    supervisor.child_mut(shell).start(SHELL_PRIORITY, [0, 0])?;
    while supervisor.child(shell).ending.is_none() {
        supervisor.step_or(|supervisor, id, message| session.serve(supervisor, id, message))?;
        session.see_to_demo(supervisor)?;
    }
    supervisor.forget(shell)
}

impl Session {
    /// Answers what only the shell may ask.
    fn serve(&mut self, supervisor: &mut Supervisor, id: Id, message: &Message) -> Result<Option<Message>, Failure> {
        if id != self.shell {
            return Ok(None);
        }
        let words = &message.words;
        Ok(Some(match message.label() {
            request::START => Message::new(u16::from(self.start(supervisor, words[0], words[1] != 0).is_err()), &[]),
            request::KILL => {
                if let Some(demo) = self.demo.take() {
                    supervisor.forget(demo)?;
                }
                Message::new(0, &[])
            }
            request::TASK => match supervisor.children().nth(words[0]) {
                Some(child) => self.line(child)?.message(),
                None => Message::new(0, &[]),
            },
            request::MEMORY => {
                let (used, allowed) = context(FACTORY.usage(), "the use of memory")?;
                Message::new(0, &[used, allowed])
            }
            _ => return Ok(None),
        }))
    }

    fn start(&mut self, supervisor: &mut Supervisor, number: Word, wide: bool) -> Result<(), Failure> {
        let demo = DEMOS.get(number).ok_or_else(|| Failure::new("there is no such demonstration"))?;
        let (program, space) = match wide {
            true => ("64/demo", Space::Wide),
            false => ("32/demo", Space::Small(self.arena, DEMO_SIZE, self.isolation, 0)),
        };
        let id = supervisor.create(program, demo.name, space)?;
        if let Err(failure) = supervisor.child_mut(id).start(DEMO_PRIORITY, [role::DEMO, number]) {
            supervisor.forget(id)?;
            return Err(failure);
        }
        self.demo = Some(id);
        Ok(())
    }

    /// Tells the shell if its demonstration has ended.
    fn see_to_demo(&mut self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        let ended = |id: &Id| supervisor.child(*id).ending.is_some();
        if let Some(demo) = self.demo.take_if(|id| ended(id)) {
            supervisor.forget(demo)?;
            context(self.ended.signal(), "telling the shell")?;
        }
        Ok(())
    }

    fn line(&self, child: &Child) -> Result<TaskLine, Failure> {
        let account = child.account()?;
        Ok(TaskLine {
            id: child.id as Word,
            kind: child.kind as Word,
            isolation: child.isolation.filter(|_| child.kind == kind::SMALL).map_or(0, |isolation| isolation as Word),
            user: (account.user / self.khz) as Word,
            kernel: (account.kernel / self.khz) as Word,
            switches: account.switches as Word,
            name: request::name(&child.name),
        })
    }
}
