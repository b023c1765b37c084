//! The words of the lesson `race`.

use super::super::language::Text;
use super::super::words::{Hint, LessonWords};

pub const LOST: Text = Text {
    en: "Without a lock updates were lost: the counter is lower than the number of additions.",
    ko: "잠금이 없으면 갱신이 사라졌습니다. 카운터가 더한 횟수보다 작습니다.",
};
pub const LOCKED: Text = Text {
    en: "With a lock around read, add and write, no update was lost.",
    ko: "읽기, 더하기, 쓰기를 잠금으로 감싸면 갱신이 하나도 사라지지 않았습니다.",
};
pub const ATOMIC: Text = Text {
    en: "With one atomic addition no update was lost either, without any lock.",
    ko: "원자적 덧셈 하나로도, 잠금 없이 갱신이 하나도 사라지지 않았습니다.",
};
pub const CIRCLE: Text = Text {
    en: "The deadlock was found as a circle: each of the two processes waits for a lock that the other one holds.",
    ko: "교착 상태가 고리로 드러났습니다. 두 프로세스가 서로 상대가 가진 잠금을 기다립니다.",
};
pub const BROKEN: Text = Text {
    en: "When one of them was ended, its lock was free at once and the other one finished.",
    ko: "둘 중 하나를 끝내자 그 잠금이 곧바로 풀렸고 다른 하나는 일을 마쳤습니다.",
};
pub const REFUSED: Text = Text {
    en: "With record locks the kernel itself refused the wait that would have closed the circle (EDEADLK), to one process \
         only.",
    ko: "레코드 잠금에서는 고리를 완성할 대기를 커널이 직접 거부했습니다(EDEADLK). 거부된 프로세스는 하나뿐입니다.",
};
pub const SAME_ORDER: Text = Text {
    en: "When both take the locks in the same order, both finish.",
    ko: "둘 다 같은 순서로 잠그면 둘 다 일을 마칩니다.",
};
pub const NO_LOCKS: Text = Text {
    en: "/proc/locks does not show these locks here",
    ko: "이 시스템의 /proc/locks에는 이 잠금이 보이지 않습니다",
};

pub const WRITERS: Text = Text {
    en: "Two processes share a page of memory with a counter. Each adds 1 to it {times} times: read, add, write back. \
         Between reading and writing it lets the other one run, as the system may do at any moment.",
    ko: "두 프로세스가 카운터 하나가 든 메모리 페이지를 공유합니다. 각자 {times}번씩 1을 더합니다. 읽고, 더하고, 다시 씁니다. \
         읽기와 쓰기 사이에 상대에게 차례를 넘기는데, 시스템은 언제든 그렇게 할 수 있습니다.",
};
pub const EXPECTED: Text = Text { en: "additions by both together", ko: "둘이 더한 횟수" };
pub const BARE: Text = Text { en: "the counter, without a lock", ko: "잠금이 없을 때의 카운터" };
pub const LOST_COUNT: Text = Text { en: "lost updates", ko: "사라진 갱신" };
pub const WITH_LOCK: Text = Text { en: "the counter, with a lock", ko: "잠금을 썼을 때의 카운터" };
pub const WITH_ATOMIC: Text =
    Text { en: "the counter, with an atomic addition", ko: "원자적 덧셈을 썼을 때의 카운터" };
pub const TWO_LOCKS: Text = Text {
    en: "Now two locks, A and B. The first process takes A and then B, the second B and then A. Each has its first lock \
         before either asks for its second:",
    ko: "이제 잠금이 A와 B 둘입니다. 첫째 프로세스는 A 다음에 B를, 둘째는 B 다음에 A를 잡습니다. 둘 다 첫 잠금을 가진 \
         다음에 둘째 잠금을 요청합니다:",
};
pub const HAS: Text = Text { en: "pid {pid} holds {lock}", ko: "pid {pid}: {lock}을(를) 가짐" };
pub const WAITS: Text = Text {
    en: "pid {waiter} waits for a lock that pid {holder} holds",
    ko: "pid {waiter}: pid {holder}이(가) 가진 잠금을 기다림",
};
pub const EXPLAINED: Text = Text {
    en: "Follow the arrows and you come back to where you began: nobody in this circle can ever go on. One has to give way. \
         The lesson ends pid {victim}.",
    ko: "화살표를 따라가면 출발한 곳으로 되돌아옵니다. 이 고리 안에서는 누구도 앞으로 나아갈 수 없으므로 하나가 물러나야 합니다. \
         이 수업은 pid {victim}을(를) 끝냅니다.",
};
pub const FINISHED: Text =
    Text { en: "pid {pid} has both locks and is done", ko: "pid {pid}: 두 잠금을 모두 얻어 일을 마침" };
pub const BY_KERNEL: Text = Text {
    en: "The same with record locks, for which the kernel looks for circles itself before it lets a process wait:",
    ko: "같은 일을 레코드 잠금으로 해 봅니다. 이 잠금은 프로세스를 기다리게 하기 전에 커널이 고리가 생기는지 직접 확인합니다:",
};
pub const GOT_EDEADLK: Text =
    Text { en: "pid {pid} is refused its second lock: {error}", ko: "pid {pid}: 둘째 잠금이 거부됨: {error}" };
pub const IN_ORDER: Text =
    Text { en: "And with A before B for both:", ko: "이번에는 둘 다 A를 먼저, B를 나중에 잡습니다:" };
pub const REFUSALS: Text = Text { en: "processes refused by the kernel", ko: "커널이 거부한 프로세스" };

pub const WORDS: LessonWords = LessonWords {
    title: Text { en: "Races, locks and a deadlock", ko: "경쟁 상태, 잠금, 교착 상태" },
    summary: Text {
        en: "two writers, lost updates, a lock, and a deadlock that is found and explained",
        ko: "두 기록자와 사라진 갱신, 잠금, 그리고 찾아서 설명하는 교착 상태",
    },
    does: &[
        Text {
            en: "Two processes write to the same memory: first without care, then with a lock, then with an atomic addition. \
                 The counter shows what was lost.",
            ko: "두 프로세스가 같은 메모리에 씁니다. 처음에는 아무 조치 없이, 다음에는 잠금으로, 그다음에는 원자적 덧셈으로 합니다. \
                 카운터를 보면 무엇이 사라졌는지 알 수 있습니다.",
        },
        Text {
            en: "Then two processes lock each other out for real. The lesson finds the circle in /proc/locks, explains it and \
                 breaks it; and it shows the kernel refusing such a wait, and the order of locks that prevents it.",
            ko: "그다음 두 프로세스가 실제로 교착 상태에 빠집니다. 수업은 /proc/locks에서 고리를 찾아 설명하고 풀어 줍니다. 커널이 \
                 그런 대기를 거부하는 모습과, 교착 상태를 예방하는 잠금 순서도 보여 줍니다.",
        },
    ],
    notice: &[
        Text {
            en: "A lost update raises no error. The program ends well, and the number is wrong; and on another day it is wrong \
                 by another amount.",
            ko: "갱신이 사라져도 오류는 나지 않습니다. 프로그램은 정상 종료하지만 값이 틀리고, 다시 실행하면 다른 만큼 틀립니다.",
        },
        Text {
            en: "Processes race only for what they share: memory, files, a terminal. Threads share everything, so every \
                 variable is a candidate.",
            ko: "프로세스는 메모리, 파일, 터미널처럼 공유하는 것에서만 경쟁합니다. 스레드는 모든 것을 공유하므로 모든 변수가 경쟁의 \
                 대상이 될 수 있습니다.",
        },
        Text {
            en: "A deadlock needs four things at once: locks for one holder, holding while asking, no taking away, and a \
                 circle. One order of locks for everybody removes the circle; ending a process takes its locks away.",
            ko: "교착 상태에는 네 가지가 동시에 필요합니다. 상호 배제, 점유하며 대기, 비선점, 그리고 순환 대기입니다. 모두가 같은 \
                 순서로 잠그면 순환이 사라지고, 프로세스를 끝내면 그 잠금을 빼앗을 수 있습니다.",
        },
        Text {
            en: "The workers of a supervisor share no memory of yours, and one that hangs, for whatever reason, is ended and \
                 replaced with --timeout.",
            ko: "supervisor의 작업자는 여러분의 메모리를 공유하지 않습니다. 이유가 무엇이든 멈춰 버린 작업자는 --timeout으로 끝내고 \
                 교체합니다.",
        },
    ],
    claims: &[LOST, LOCKED, ATOMIC, CIRCLE, BROKEN, REFUSED, SAME_ORDER],
    commands: &[
        Hint {
            command: "supervisor -j 2 --timeout 1s --task hang ::: a",
            why: Text {
                en: "A worker that hangs is ended after its time limit:",
                ko: "멈춰 버린 작업자를 제한 시간이 지나면 끝냅니다:",
            },
        },
        Hint {
            command: "supervisor -j 2 -- flock /tmp/tour.lock sh -c 'echo {} has the lock; sleep 1' ::: a b",
            why: Text {
                en: "Two commands that take turns by a lock:", ko: "두 명령이 잠금으로 차례를 지킵니다:"
            },
        },
    ],
};
