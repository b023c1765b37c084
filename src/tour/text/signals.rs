//! The words of the lesson `signals`.

use super::super::language::Text;
use super::super::words::{Hint, LessonWords};

pub const TERM_ENDS: Text = Text {
    en: "TERM ended a process that does nothing about it.",
    ko: "TERM은 아무 대비도 하지 않은 프로세스를 끝냈습니다.",
};
pub const TERM_IS_CAUGHT: Text = Text {
    en: "A process that catches TERM cleaned up and exited with 0.",
    ko: "TERM을 받아 처리하는 프로세스는 정리하고 종료 코드 0으로 끝났습니다.",
};
pub const TERM_IS_IGNORED: Text = Text {
    en: "A process that ignores TERM lived on, and KILL ended it.",
    ko: "TERM을 무시하는 프로세스는 계속 살아 있었고, KILL이 끝냈습니다.",
};
pub const STOP_AND_CONT: Text = Text {
    en: "STOP stopped a process, its parent was told so, and CONT let it go on.",
    ko: "STOP은 프로세스를 멈추었고, 부모는 그 사실을 통보받았으며, CONT는 다시 움직이게 했습니다.",
};
pub const SEGV_ENDS: Text = Text {
    en: "SEGV ended a process, and its parent sees the difference: exit by signal 11, not by a code.",
    ko: "SEGV는 프로세스를 끝냈고, 부모는 그 차이를 봅니다. 종료 코드가 아니라 신호 11로 끝났습니다.",
};
pub const LADDER_FIRST_STEP: Text = Text {
    en: "The ladder: a worker that only sleeps too long was ended by the first TERM.",
    ko: "단계적 종료: 너무 오래 잠들기만 한 작업자는 첫 TERM으로 끝났습니다.",
};
pub const LADDER_LAST_STEP: Text = Text {
    en: "The ladder: a worker that ignores TERM was ended by KILL, after the waits of the steps before it.",
    ko: "단계적 종료: TERM을 무시하는 작업자는 앞 단계의 대기 시간이 지난 뒤 KILL로 끝났습니다.",
};

pub const CHILDREN: Text = Text {
    en: "One process for each way, and what its parent is told:",
    ko: "방법마다 프로세스 하나를 쓰고, 부모가 무엇을 통보받는지 봅니다:",
};
pub const TOLD: Text = Text { en: "pid {pid}, {kind}: {sent} -> {seen}", ko: "pid {pid}, {kind}: {sent} -> {seen}" };
pub const PLAIN: Text = Text { en: "does nothing about signals", ko: "신호에 대비하지 않음" };
pub const POLITE: Text = Text { en: "catches TERM", ko: "TERM을 받아 처리함" };
pub const DEAF: Text = Text { en: "ignores TERM", ko: "TERM을 무시함" };
pub const LIVES_ON: Text = Text { en: "lives on", ko: "계속 살아 있음" };
pub const LADDER: Text = Text {
    en: "supervisor ends a process in steps: --term-seq TERM,100,TERM,100,KILL,25 is TERM, a wait of 100 ms, TERM again, \
         100 ms, KILL. Here the time limit of an item (200 ms) asks for it, first of a worker that sleeps, then of one that \
         ignores TERM:",
    ko: "supervisor는 프로세스를 단계적으로 끝냅니다. --term-seq TERM,100,TERM,100,KILL,25는 TERM을 보내고 100 ms를 기다린 뒤 다시 \
         TERM을 보내고, 100 ms 뒤에 KILL을 보낸다는 뜻입니다. 여기서는 항목의 제한 시간(200 ms)이 지나면 시작됩니다. 먼저 잠드는 \
         작업자, 다음은 TERM을 무시하는 작업자입니다:",
};
pub const OF_SLEEPER: Text = Text { en: "the worker that sleeps ended by", ko: "잠드는 작업자가 끝난 방식" };
pub const OF_HANGER: Text =
    Text { en: "the worker that ignores TERM ended by", ko: "TERM을 무시하는 작업자가 끝난 방식" };
pub const AFTER: Text = Text { en: "after its start", ko: "시작한 뒤 끝나기까지" };

pub const WORDS: LessonWords = LessonWords {
    title: Text { en: "Signals, and how a process is ended", ko: "신호, 그리고 프로세스를 끝내는 방법" },
    summary: Text {
        en: "TERM, KILL, STOP and CONT, SEGV, as the parent sees them, and the supervisor's ladder",
        ko: "부모가 보는 TERM, KILL, STOP과 CONT, SEGV, 그리고 supervisor의 단계적 종료",
    },
    does: &[Text {
        en: "Five children get signals: TERM while they do nothing about it, catch it or ignore it, then KILL, STOP and CONT, \
             and SEGV. The lesson waits for each as a supervisor does and shows what it learns. Then supervisor ends two \
             workers that take too long.",
        ko: "자식 프로세스 5개가 신호를 받습니다. 대비하지 않을 때, 받아 처리할 때, 무시할 때의 TERM과, KILL, STOP과 CONT, SEGV입니다. \
             수업은 supervisor처럼 각각을 기다리며 무엇을 알게 되는지 보여 줍니다. 그다음 supervisor가 너무 오래 걸리는 작업자 2개를 \
             끝냅니다.",
    }],
    notice: &[
        Text {
            en: "A signal asks or tells. TERM asks, and the process may refuse. KILL and STOP are never delivered to the \
                 process: the kernel carries them out.",
            ko: "신호는 부탁이거나 명령입니다. TERM은 부탁이라 프로세스가 거절할 수 있습니다. KILL과 STOP은 프로세스에 전달되지 않고 \
                 커널이 직접 집행합니다.",
        },
        Text {
            en: "A process that is killed cleans nothing up: no buffer is written, no temporary file removed, no child told. So \
                 one asks first.",
            ko: "KILL로 끝난 프로세스는 아무것도 정리하지 못합니다. 버퍼를 쓰지도, 임시 파일을 지우지도, 자식에게 알리지도 못합니다. \
                 그래서 먼저 부탁합니다.",
        },
        Text {
            en: "A stopped process has not ended: it holds its memory, its locks and its item, and makes no step. TERM waits \
                 until it is continued; KILL does not.",
            ko: "멈춘 프로세스는 끝난 것이 아닙니다. 메모리와 잠금과 항목을 쥔 채 한 걸음도 나아가지 않습니다. TERM은 다시 움직일 때까지 \
                 전달되지 않지만 KILL은 바로 듣습니다.",
        },
        Text {
            en: "A shell shows 128 + the number: 143 is TERM, 137 KILL, 139 SEGV. From that alone nobody can tell an exit with \
                 code 143; a parent can.",
            ko: "셸은 128에 신호 번호를 더해 보여 줍니다. 143은 TERM, 137은 KILL, 139는 SEGV입니다. 이 수만으로는 종료 코드 143과 구별할 \
                 수 없지만 부모는 구별합니다.",
        },
    ],
    claims: &[
        TERM_ENDS,
        TERM_IS_CAUGHT,
        TERM_IS_IGNORED,
        STOP_AND_CONT,
        SEGV_ENDS,
        LADDER_FIRST_STEP,
        LADDER_LAST_STEP,
    ],
    commands: &[
        Hint {
            command: "supervisor -j 1 --timeout 1s --task hang ::: a",
            why: Text {
                en: "The ladder, with its usual steps:", ko: "기본 단계로 단계적 종료를 봅니다:"
            },
        },
        Hint {
            command: "supervisor -w 2 --items 8 --delay 1s & sleep 1; kill -TERM $!; wait",
            why: Text {
                en: "TERM to the supervisor itself: running items finish, then it ends by that signal:",
                ko: "supervisor 자신에게 TERM을 보냅니다. 실행 중인 항목을 마친 뒤 그 신호로 끝납니다:",
            },
        },
    ],
};
