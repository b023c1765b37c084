//! The words of the lesson `daemon`.

use super::super::language::Text;
use super::super::words::{Hint, LessonWords};

pub const WAITED_FOR: Text = Text {
    en: "Waited for: the worker finished its work before its parent ended.",
    ko: "기다린 경우: 작업자는 부모가 끝나기 전에 일을 마쳤습니다.",
};
pub const ENDED_WITH: Text = Text {
    en: "Ended with it: when the parent was killed, the worker was gone too.",
    ko: "함께 끝난 경우: 부모를 강제로 끝내자 작업자도 사라졌습니다.",
};
pub const LEFT_BEHIND: Text = Text {
    en: "Left behind: the worker lived on without its parent, with another parent in its place.",
    ko: "남겨진 경우: 작업자는 부모가 없어도 계속 살아 있었고, 다른 프로세스가 부모가 되었습니다.",
};
pub const NONE_LEFT: Text = Text {
    en: "supervisor, killed by KILL, left none of its workers.",
    ko: "KILL로 강제 종료된 supervisor는 작업자를 하나도 남기지 않았습니다.",
};
pub const NO_PROC: Text = Text {
    en: "/proc shows no processes here",
    ko: "이 시스템의 /proc에서는 프로세스를 볼 수 없습니다",
};

pub const WAITS: Text = Text {
    en: "1. A parent that waits. Parent pid {parent}, worker pid {worker}:",
    ko: "1. 기다리는 부모입니다. 부모 pid {parent}, 작업자 pid {worker}:",
};
pub const SAID: Text = Text { en: "the parent says: {line}", ko: "부모의 말: {line}" };
pub const BOUND: Text = Text {
    en: "2. A worker that has asked the kernel for a signal at the death of its parent. Parent pid {parent}, worker pid \
         {worker}. The parent is killed:",
    ko: "2. 부모가 죽으면 신호를 보내 달라고 커널에 요청해 둔 작업자입니다. 부모 pid {parent}, 작업자 pid {worker}. 부모를 \
         강제로 끝냅니다:",
};
pub const LEFT: Text = Text {
    en: "3. A worker for which nobody has done anything. Parent pid {parent}, worker pid {worker}. The parent is killed:",
    ko: "3. 아무런 조치도 하지 않은 작업자입니다. 부모 pid {parent}, 작업자 pid {worker}. 부모를 강제로 끝냅니다:",
};
pub const NEW_PARENT: Text = Text {
    en: "worker {worker} lives on; its parent is now pid {parent} ({name})",
    ko: "작업자 {worker}은(는) 살아 있으며, 이제 부모는 pid {parent} ({name})입니다",
};
pub const ENDED_NOW: Text = Text {
    en: "it would live on after this lesson; the lesson ends it",
    ko: "그대로 두면 수업이 끝나도 살아 있으므로 수업이 끝냅니다",
};
pub const SUPERVISED: Text = Text {
    en: "4. supervisor with three workers that sleep for a minute. It is killed with KILL, so it can do nothing any more:",
    ko: "4. 1분 동안 잠드는 작업자 3개를 거느린 supervisor입니다. KILL로 끝내므로 스스로는 아무것도 할 수 없습니다:",
};
pub const GONE_AFTER: Text =
    Text { en: "the worker was gone after", ko: "작업자가 사라지기까지 걸린 시간" };
pub const ALL_GONE_AFTER: Text =
    Text { en: "all workers were gone after", ko: "작업자가 모두 사라지기까지 걸린 시간" };
pub const WORKERS_LEFT: Text = Text { en: "workers left", ko: "남은 작업자" };

pub const WORDS: LessonWords = LessonWords {
    title: Text { en: "When the parent ends", ko: "부모가 끝날 때" },
    summary: Text {
        en: "what becomes of workers when their parent ends: waited for, ended with it, left behind",
        ko: "부모가 끝나면 작업자는 어떻게 되는가: 기다림, 함께 끝남, 남겨짐",
    },
    does: &[Text {
        en: "Three parents start a worker each. The first waits for it; the second is killed, and its worker ends with it; \
             the third is killed too, and its worker stays. Then supervisor itself is killed with three workers at work.",
        ko: "부모 3개가 각각 작업자를 하나씩 시작합니다. 첫째는 작업자를 기다리고, 둘째는 강제로 끝나며 작업자도 함께 끝나고, 셋째도 \
             강제로 끝나지만 작업자는 남습니다. 그다음 작업자 3개가 일하는 동안 supervisor 자신을 강제로 끝냅니다.",
    }],
    notice: &[
        Text {
            en: "By default the kernel ends no child with its parent. The child is an orphan, another process becomes its \
                 parent, and nobody knows that it still works, holds files open and takes memory.",
            ko: "커널은 부모가 끝났다고 자식을 끝내지 않습니다. 자식은 고아가 되어 다른 프로세스를 부모로 갖게 되고, 계속 일하고 \
                 파일을 열어 두고 메모리를 차지해도 아는 이가 없습니다.",
        },
        Text {
            en: "A parent that cleans up when it ends helps only if it gets to it: after KILL, a crash or a lack of memory it \
                 does not.",
            ko: "끝날 때 뒷정리를 하는 부모는 그럴 기회가 있을 때만 도움이 됩니다. KILL, 비정상 종료, 메모리 부족에서는 그럴 기회가 \
                 없습니다.",
        },
        Text {
            en: "supervisor leaves none. Each worker asks for KILL at its parent's death, and a guard process watches a pipe \
                 that only the supervisor holds: when the pipe closes, it ends every process group of the run, and so also \
                 what the workers had started.",
            ko: "supervisor는 아무것도 남기지 않습니다. 작업자는 부모가 죽으면 KILL을 받도록 요청해 두고, 감시 프로세스는 supervisor만 \
                 쥐고 있는 파이프를 지켜봅니다. 파이프가 닫히면 실행의 모든 프로세스 그룹을, 따라서 작업자가 시작한 것까지 끝냅니다.",
        },
    ],
    claims: &[WAITED_FOR, ENDED_WITH, LEFT_BEHIND, NONE_LEFT],
    commands: &[
        Hint {
            command: "supervisor -q -w 3 --task sleep ::: 60 60 60 & sleep 1; kill -KILL $!; sleep 1; ps -o pid,ppid,comm",
            why: Text {
                en: "Kill it yourself, and look for workers:",
                ko: "직접 강제 종료하고 작업자가 남았는지 찾아봅니다:",
            },
        },
        Hint {
            command: "supervisor --leftovers leave -- sh -c 'sleep 30 & echo {}' ::: a",
            why: Text {
                en: "A command may leave something in the background, if you ask for it:",
                ko: "원한다면 명령이 백그라운드에 무언가를 남기게 할 수도 있습니다:",
            },
        },
    ],
};
