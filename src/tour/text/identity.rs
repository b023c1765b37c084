//! The words of the lesson `identity`.

use super::super::language::Text;
use super::super::words::{Hint, LessonWords};

pub const SAYS_THE_TRUTH: Text = Text {
    en: "What each worker process says of itself is what the system says of it.",
    ko: "각 작업자 프로세스가 스스로 말한 것이 시스템이 말하는 것과 같습니다.",
};
pub const PARENT: Text = Text {
    en: "The parent of each worker process is this process, which started it.",
    ko: "각 작업자 프로세스의 부모는 그것을 시작한 이 프로세스입니다.",
};
pub const INHERITED: Text = Text {
    en: "Each worker process has the user, the group and the working directory of its parent.",
    ko: "각 작업자 프로세스는 부모의 사용자, 그룹, 작업 디렉터리를 물려받았습니다.",
};
pub const OWN_GROUP: Text = Text {
    en: "Each worker process leads a process group of its own, so Ctrl-C does not reach it.",
    ko: "각 작업자 프로세스는 자신의 프로세스 그룹을 이끌므로 Ctrl-C가 미치지 않습니다.",
};
pub const THREADS: Text = Text {
    en: "Worker threads have no pid of their own: all of them say the pid of this process.",
    ko: "작업자 스레드에는 고유한 pid가 없습니다. 모두 이 프로세스의 pid를 말합니다.",
};
pub const NO_PROC: Text = Text {
    en: "/proc shows no processes here",
    ko: "이 시스템의 /proc에서는 프로세스를 볼 수 없습니다",
};

pub const STARTED: Text = Text {
    en: "Three worker processes run the task identity. While they live, /proc is asked about them:",
    ko: "작업자 프로세스 3개가 identity 작업을 실행합니다. 살아 있는 동안 /proc에서 그 정보를 읽습니다:",
};
pub const SAID: Text =
    Text { en: "What the workers say of themselves:", ko: "작업자들이 스스로 말한 내용입니다:" };
pub const SAID_BY_THREADS: Text = Text {
    en: "The same task on three threads of this process (pid {pid}):",
    ko: "같은 작업을 이 프로세스(pid {pid})의 스레드 3개에서 실행합니다:",
};
pub const PARENT_OF_ALL: Text = Text { en: "who started the tour", ko: "이 수업을 시작한 프로세스" };
pub const THIS: Text = Text { en: "this process, the supervisor", ko: "이 프로세스(supervisor)" };
pub const WORKER: Text = Text { en: "worker {worker}", ko: "작업자 {worker}" };
pub const PIDS: Text =
    Text { en: "different pids among 3 worker processes", ko: "작업자 프로세스 3개의 서로 다른 pid 수" };
pub const PIDS_OF_THREADS: Text =
    Text { en: "different pids among 3 worker threads", ko: "작업자 스레드 3개의 서로 다른 pid 수" };

pub const WORDS: LessonWords = LessonWords {
    title: Text { en: "Who is who among processes", ko: "프로세스의 신원" },
    summary: Text {
        en: "pid, parent, user, group and directory of each process, as a tree",
        ko: "각 프로세스의 pid, 부모, 사용자, 그룹, 디렉터리를 트리로 보기",
    },
    does: &[Text {
        en: "Three worker processes say who they are: pid, parent, user, group, working directory. The system is asked the \
             same about them, and the answers are drawn as a tree. Then three threads do the same task.",
        ko: "작업자 프로세스 3개가 자신이 누구인지, 곧 pid, 부모, 사용자, 그룹, 작업 디렉터리를 말합니다. 같은 내용을 시스템에도 \
             물어 트리로 그립니다. 그런 다음 스레드 3개가 같은 일을 합니다.",
    }],
    notice: &[
        Text {
            en: "A process is born with what its parent has: user, group, working directory, environment, open descriptors. \
                 What it changes afterwards is its own.",
            ko: "프로세스는 부모가 가진 사용자, 그룹, 작업 디렉터리, 환경 변수, 열린 디스크립터를 물려받고 태어납니다. 그 뒤에 \
                 바꾸는 것은 자신에게만 영향을 줍니다.",
        },
        Text {
            en: "Threads share all of this. A thread that changes the working directory changes it for every thread of the \
                 process.",
            ko: "스레드는 이 모든 것을 공유합니다. 한 스레드가 작업 디렉터리를 바꾸면 프로세스의 모든 스레드에서 바뀝니다.",
        },
        Text {
            en: "A pid names a process only while it lives and until its parent has asked how it ended. Then the number may \
                 name another one: that is why a supervisor holds processes by a pidfd.",
            ko: "pid는 프로세스가 살아 있고 부모가 종료 상태를 확인하기 전까지만 그 프로세스를 가리킵니다. 그 뒤에는 같은 번호가 \
                 다른 프로세스의 것이 될 수 있습니다. 그래서 supervisor는 pidfd로 프로세스를 붙잡아 둡니다.",
        },
    ],
    claims: &[SAYS_THE_TRUTH, PARENT, INHERITED, OWN_GROUP, THREADS],
    commands: &[
        Hint {
            command: "supervisor --workers 3 --items 3 --task identity",
            why: Text { en: "The workers alone:", ko: "작업자만 봅니다:" },
        },
        Hint {
            command: "supervisor -q -w 3 --task sleep ::: 2 2 2 & sleep 0.3; ps -o pid,ppid,pgid,uid,comm; wait",
            why: Text {
                en: "The same by ps, while workers sleep:", ko: "작업자가 잠든 동안 ps로 같은 것을 봅니다:"
            },
        },
    ],
};
