//! The words of the lesson `countdown`.

use super::super::language::Text;
use super::super::words::{Hint, LessonWords};

pub const BOOKS_BALANCE: Text = Text {
    en: "After the stop every item has exactly one outcome: done or skipped, and none is lost.",
    ko: "멈춘 뒤 모든 항목에는 결과가 정확히 하나씩 있습니다. done 아니면 skipped이고, 사라진 것은 없습니다.",
};
pub const RUNNING_FINISH: Text = Text {
    en: "A drain let the running items finish: none was interrupted.",
    ko: "드레인(drain)은 실행 중인 항목이 끝나게 두었습니다. 도중에 끊긴 항목이 없습니다.",
};
pub const NOTHING_NEW: Text = Text {
    en: "After the drain began no further item was begun.",
    ko: "드레인이 시작된 뒤에는 새 항목을 시작하지 않았습니다.",
};
pub const KILL_INTERRUPTS: Text = Text {
    en: "A kill interrupted what was running, and said so: the interrupted items are skipped with a cause.",
    ko: "강제 종료는 실행 중인 항목을 끊었고 그 사실을 알렸습니다. 끊긴 항목은 원인과 함께 skipped가 되었습니다.",
};

pub const TASK: Text = Text {
    en: "{items} countdowns from 5 to 0, {delay} ms each, by two workers. When {stop} are done, the run is told to drain:",
    ko: "5에서 0까지 세는 카운트다운 {items}개를, 하나에 {delay} ms씩 걸리게 작업자 2개가 처리합니다. {stop}개가 끝나면 드레인을 \
         요청합니다:",
};
pub const ITEM: Text = Text { en: "item {item}: {result}", ko: "항목 {item}: {result}" };
pub const REQUESTED: Text =
    Text { en: "--- the stop is asked for here ---", ko: "--- 여기서 멈추라고 요청합니다 ---" };
pub const SKIPPED: Text = Text { en: "skipped: {items}", ko: "skipped: {items}" };
pub const KILLED: Text = Text {
    en: "The same again, but the workers are killed at once:",
    ko: "같은 일을 다시 하되, 이번에는 작업자를 바로 강제 종료합니다:",
};
pub const DONE: Text = Text { en: "done", ko: "done" };
pub const SKIPPED_COUNT: Text = Text { en: "skipped", ko: "skipped" };
pub const INTERRUPTED: Text =
    Text { en: "of them interrupted while running", ko: "그 가운데 실행 중에 끊긴 것" };
pub const STOP_TOOK: Text = Text { en: "from the stop to the end", ko: "멈추라고 한 때부터 끝날 때까지" };

pub const WORDS: LessonWords = LessonWords {
    title: Text { en: "A stop in the middle", ko: "도중에 멈추기" },
    summary: Text {
        en: "a slow task is stopped half way: what is done, and what is not",
        ko: "느린 작업을 도중에 멈추면 무엇이 끝나고 무엇이 남는가",
    },
    does: &[Text {
        en: "Two workers count down, slowly. In the middle the run is stopped in two ways: it drains, so that running items \
             may finish, and then, in a second run, it kills. The lesson looks at what became of each item.",
        ko: "작업자 2개가 천천히 카운트다운을 합니다. 도중에 실행을 두 가지로 멈춥니다. 먼저 실행 중인 항목은 끝나게 두는 드레인, 다음 \
             실행에서는 강제 종료입니다. 항목마다 어떻게 되었는지 확인합니다.",
    }],
    notice: &[
        Text {
            en: "A stop is a promise about three kinds of items: done ones stay done, running ones finish or are interrupted, and \
                 waiting ones were never begun. Whoever goes on later needs to know which is which.",
            ko: "멈춤은 세 가지 항목에 대한 약속입니다. 끝난 것은 끝난 채로 남고, 실행 중인 것은 끝나거나 끊기며, 기다리던 것은 시작하지 \
                 않습니다. 나중에 이어서 하려면 어느 것이 어느 쪽인지 알아야 합니다.",
        },
        Text {
            en: "An interrupted item may have done half of its work. Only its author knows whether it can simply be run again.",
            ko: "끊긴 항목은 일을 절반만 했을 수 있습니다. 그냥 다시 실행해도 되는지는 만든 사람만 압니다.",
        },
        Text {
            en: "Ctrl-C once drains, twice ends the workers step by step, three times kills. The reasons get stronger, never \
                 weaker.",
            ko: "Ctrl-C를 한 번 누르면 드레인하고, 두 번 누르면 작업자를 단계적으로 끝내고, 세 번 누르면 강제 종료합니다. 단계는 강해질 \
                 뿐 약해지지 않습니다.",
        },
    ],
    claims: &[BOOKS_BALANCE, RUNNING_FINISH, NOTHING_NEW, KILL_INTERRUPTS],
    commands: &[
        Hint {
            command: "supervisor -w 2 --task countdown --delay 1s ::: 9 8 7 6 5 4 3 2 1",
            why: Text {
                en: "Press Ctrl-C in the middle, once or twice:",
                ko: "도중에 Ctrl-C를 한 번 또는 두 번 눌러 보십시오:",
            },
        },
        Hint {
            command: "supervisor -w 2 --task countdown --delay 1s --run-timeout 2500ms ::: 9 8 7 6 5 4 3 2 1; echo \"exit code $?\"",
            why: Text {
                en: "A stop by a deadline, exit code 124:",
                ko: "마감 시간으로 멈춥니다. 종료 코드는 124입니다:",
            },
        },
    ],
};
