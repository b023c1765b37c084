//! The words of the lesson `isolation`.

use super::super::language::Text;
use super::super::words::{Hint, LessonWords};

pub const THREAD_SEEN: Text = Text {
    en: "What the thread added to the counter is seen here.",
    ko: "스레드가 카운터에 더한 값이 여기서도 보입니다.",
};
pub const PROCESS_UNSEEN: Text = Text {
    en: "What the process added to its counter is not seen here, nor is ours there.",
    ko: "프로세스가 자신의 카운터에 더한 값은 여기서 보이지 않고, 우리의 값도 거기서 보이지 않습니다.",
};
pub const THREAD_SHARES: Text = Text {
    en: "Code and data of the thread are at the same addresses as ours; its stack is a mapping of its own.",
    ko: "스레드의 코드와 데이터는 우리와 같은 주소에 있고, 스택만 별도의 매핑입니다.",
};
pub const PROCESS_OWN: Text = Text {
    en: "The process has a stack, a heap and data in its own maps; its code is mapped from the same file.",
    ko: "프로세스는 스택, 힙, 데이터를 자신의 메모리 맵에 따로 가지며, 코드는 같은 파일을 매핑한 것입니다.",
};
pub const CRASH_OF_PROCESS: Text = Text {
    en: "A worker process crashed, and every item but the one that crashed it was done.",
    ko: "작업자 프로세스 하나가 죽었지만, 그것을 죽인 항목 말고는 모두 끝났습니다.",
};
pub const CRASH_OF_THREAD: Text = Text {
    en: "A thread crashed, and the whole process ended by that signal, in the middle of the other thread's work.",
    ko: "스레드 하나가 죽자 프로세스 전체가 그 신호로 끝났고, 다른 스레드의 일도 도중에 끊겼습니다.",
};
pub const NO_MAPS: Text = Text {
    en: "/proc shows no maps here",
    ko: "이 시스템의 /proc에서는 메모리 맵을 볼 수 없습니다",
};

pub const COUNTER: Text = Text {
    en: "A counter begins at 10. A thread of this process adds 1000 to it, then a process adds 500 to the counter of the \
         same name:",
    ko: "카운터는 10에서 시작합니다. 이 프로세스의 스레드가 1000을 더하고, 그다음 다른 프로세스가 같은 이름의 카운터에 500을 \
         더합니다:",
};
pub const OURS_AFTER_THREAD: Text =
    Text { en: "our counter, after the thread", ko: "스레드가 더한 뒤 우리의 카운터" };
pub const THEIRS: Text =
    Text { en: "the counter of the process, as it says", ko: "프로세스가 말하는 자신의 카운터" };
pub const OURS_AFTER_PROCESS: Text =
    Text { en: "our counter, after the process", ko: "프로세스가 더한 뒤 우리의 카운터" };
pub const LAYOUT: Text = Text {
    en: "Where things lie. Each row is an address and the mapping of /proc/PID/maps that it is in:",
    ko: "각각이 놓인 자리입니다. 줄마다 주소와, /proc/PID/maps에서 그 주소가 속한 매핑을 보여 줍니다:",
};
pub const HERE: Text =
    Text { en: "this process (pid {pid}), main thread", ko: "이 프로세스(pid {pid})의 주 스레드" };
pub const THREAD: Text = Text { en: "a second thread of this process", ko: "이 프로세스의 둘째 스레드" };
pub const PROCESS: Text = Text { en: "another process (pid {pid})", ko: "다른 프로세스(pid {pid})" };
pub const NAMELESS: Text = Text { en: "memory of no file", ko: "파일이 없는 메모리" };
pub const CRASH_PROCESSES: Text = Text {
    en: "Two worker processes get nine items. The fifth makes its worker crash:",
    ko: "작업자 프로세스 2개가 항목 9개를 받습니다. 다섯째 항목은 작업자를 죽입니다:",
};
pub const CRASH_THREADS: Text = Text {
    en: "Now one process with two threads: one counts to {steps}, the other crashes after a few steps of the first:",
    ko: "이번에는 스레드 2개가 있는 프로세스 하나입니다. 하나는 {steps}까지 세고, 다른 하나는 몇 걸음 뒤에 죽습니다:",
};
pub const DONE: Text = Text { en: "items done beside the crash", ko: "옆에서 작업자가 죽어도 끝난 항목" };
pub const DEATHS: Text = Text { en: "worker processes that died", ko: "죽은 작업자 프로세스" };
pub const DIED_BY: Text = Text { en: "how it died", ko: "죽은 방식" };
pub const STEPS: Text = Text {
    en: "steps that the other thread made, of {steps}",
    ko: "다른 스레드가 {steps}걸음 가운데 마친 걸음",
};
pub const PROCESS_ENDED: Text = Text { en: "how the whole process ended", ko: "프로세스 전체가 끝난 방식" };

pub const WORDS: LessonWords = LessonWords {
    title: Text {
        en: "What processes keep apart and threads share", ko: "프로세스가 나누고 스레드가 공유하는 것"
    },
    summary: Text {
        en: "a counter, the memory maps, and a crash, of a process and of a thread",
        ko: "카운터, 메모리 맵, 그리고 죽음을 프로세스와 스레드로 비교하기",
    },
    does: &[Text {
        en: "A thread and a process each add to a counter, and the lesson looks who sees what. Then stack, heap, data and \
             code of each are looked up in the memory maps. At last a worker process crashes beside another one, and a \
             thread beside another one.",
        ko: "스레드와 프로세스가 각각 카운터에 더하고, 누가 무엇을 보는지 확인합니다. 그다음 각각의 스택, 힙, 데이터, 코드를 \
             메모리 맵에서 찾습니다. 마지막으로 작업자 프로세스 하나와 스레드 하나를 각각 다른 것 옆에서 죽여 봅니다.",
    }],
    notice: &[
        Text {
            en: "The counter of the process has the same name and the same code, but it is another page of memory. To share a \
                 number, processes have to send it or to map the same page on purpose (lessons ipc and race).",
            ko: "프로세스의 카운터는 이름도 코드도 같지만 다른 메모리 페이지입니다. 프로세스가 수를 공유하려면 보내거나, 일부러 같은 \
                 페이지를 매핑해야 합니다(ipc 수업과 race 수업).",
        },
        Text {
            en: "Every thread has its own stack, but in the same address space: any thread can write to any stack.",
            ko: "스레드마다 스택이 따로 있지만 주소 공간은 하나입니다. 어떤 스레드든 다른 스레드의 스택에 쓸 수 있습니다.",
        },
        Text {
            en: "The code of a program is in memory once, however many processes map the file.",
            ko: "아무리 많은 프로세스가 파일을 매핑해도 프로그램의 코드는 메모리에 하나만 있습니다.",
        },
        Text {
            en: "A signal such as SEGV ends a process, never a thread. That is the price of threads, and the reason why \
                 supervisor works with processes.",
            ko: "SEGV 같은 신호는 스레드가 아니라 프로세스를 끝냅니다. 이것이 스레드의 대가이며, supervisor가 프로세스를 쓰는 \
                 이유입니다.",
        },
    ],
    claims: &[THREAD_SEEN, PROCESS_UNSEEN, THREAD_SHARES, PROCESS_OWN, CRASH_OF_PROCESS, CRASH_OF_THREAD],
    commands: &[
        Hint {
            command: "supervisor -j 2 --task signal ::: 17 17 11 17",
            why: Text {
                en: "An item that crashes its worker (signal 11), beside harmless ones (17):",
                ko: "작업자를 죽이는 항목(신호 11)과 해가 없는 항목(17)을 함께 실행합니다:",
            },
        },
        Hint {
            command: "supervisor -j 2 --isolation thread --task signal ::: 17 17 11 17; echo \"exit code $?\"",
            why: Text {
                en: "The same with threads: the whole run is gone, and its results with it:",
                ko: "같은 일을 스레드로 하면 실행 전체가 결과와 함께 사라집니다:",
            },
        },
    ],
};
