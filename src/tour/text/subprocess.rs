//! The words of the lesson `subprocess`.

use super::super::language::Text;
use super::super::words::{Hint, LessonWords};

pub const ARGUMENTS: Text = Text {
    en: "The arguments arrived as they were given, spaces and * included: no shell was between.",
    ko: "인수는 공백과 *까지 준 그대로 전달되었습니다. 중간에 셸이 없었습니다.",
};
pub const CODE: Text = Text {
    en: "The parent got the exit code of the child.",
    ko: "부모는 자식의 종료 코드를 받았습니다.",
};
pub const STREAMS: Text = Text {
    en: "Output and errors came back apart, each whole.",
    ko: "표준 출력과 표준 오류가 서로 섞이지 않고 온전히 돌아왔습니다.",
};
pub const WAITED: Text = Text {
    en: "wait returned only when sleep had ended, and the wait cost almost no processor time.",
    ko: "wait는 sleep이 끝난 다음에야 반환되었고, 기다리는 데 프로세서 시간은 거의 들지 않았습니다.",
};
pub const LIMITED: Text = Text {
    en: "A command that took longer than its time limit was ended.",
    ko: "제한 시간보다 오래 걸린 명령은 강제로 끝났습니다.",
};
pub const NOT_STARTED: Text = Text {
    en: "A command that does not exist is an error of the start, and not an exit code.",
    ko: "없는 명령은 종료 코드가 아니라 시작할 때의 오류로 나타났습니다.",
};
pub const BY_SUPERVISOR: Text = Text {
    en: "supervisor ran a process for each item, and all of them were done.",
    ko: "supervisor는 항목마다 프로세스를 하나씩 실행했고 모두 done으로 끝났습니다.",
};

pub const ONE_BY_ONE: Text = Text {
    en: "Each command is started, waited for, and asked what it used:",
    ko: "명령을 시작하고, 끝나기를 기다리고, 무엇을 썼는지 확인합니다:",
};
pub const ENDED: Text = Text {
    en: "{exit} after {ms} ms, {cpu} ms of processor time, {kib} KiB of memory at most",
    ko: "{ms} ms 뒤 {exit}, 프로세서 시간 {cpu} ms, 최대 메모리 {kib} KiB",
};
pub const STDOUT: Text = Text { en: "stdout: {text}", ko: "표준 출력: {text}" };
pub const STDERR: Text = Text { en: "stderr: {text}", ko: "표준 오류: {text}" };
pub const ERROR: Text = Text { en: "not started: {error}", ko: "시작하지 못함: {error}" };
pub const SLEPT: Text = Text { en: "time that sleep 0.3 took", ko: "sleep 0.3이 걸린 시간" };
pub const CPU: Text = Text { en: "processor time of it", ko: "그 가운데 프로세서 시간" };
pub const EXIT_CODE: Text = Text { en: "exit code of sh -c 'exit 7'", ko: "sh -c 'exit 7'의 종료 코드" };
pub const MANY: Text = Text {
    en: "The same for many items: a process for each, two at a time.",
    ko: "같은 일을 여러 항목에 합니다. 항목마다 프로세스 하나, 한 번에 둘씩입니다.",
};

pub const WORDS: LessonWords = LessonWords {
    title: Text { en: "Running another program", ko: "다른 프로그램 실행하기" },
    summary: Text {
        en: "echo and sleep are run and waited for: arguments, exit code, output, cost",
        ko: "echo와 sleep을 실행하고 기다리기: 인수, 종료 코드, 출력, 비용",
    },
    does: &[Text {
        en: "The lesson runs echo, sleep and sh as children, waits for each, and looks at what comes back: what it wrote, how it \
             ended, how long it took, and what it cost. Then supervisor does it for many items.",
        ko: "echo, sleep, sh를 자식 프로세스로 실행하고 하나씩 기다린 뒤, 돌아오는 것을 봅니다. 무엇을 출력했고, 어떻게 끝났고, 얼마나 \
             걸렸고, 비용이 얼마나 들었는지입니다. 그다음 supervisor로 여러 항목에 같은 일을 합니다.",
    }],
    notice: &[
        Text {
            en: "A program gets a list of words, not a line. A shell is only needed for what a shell does: pipes, *, variables; \
                 and then every text in the line is part of a script.",
            ko: "프로그램은 한 줄의 글이 아니라 단어의 목록을 받습니다. 셸은 파이프, *, 변수처럼 셸이 하는 일에만 필요하며, 그때는 그 줄의 \
                 모든 글이 스크립트의 일부가 됩니다.",
        },
        Text {
            en: "The exit code is one byte, and 0 means success. How a process ended by a signal is told apart from it, though a \
                 shell folds both into one number.",
            ko: "종료 코드는 한 바이트이고 0은 성공입니다. 신호로 끝난 것은 종료 코드와 따로 구별되지만, 셸은 둘을 한 수로 합쳐 보여 \
                 줍니다.",
        },
        Text {
            en: "Until its parent has waited for it, an ended process stays as a zombie: its number and its exit status, and \
                 nothing else.",
            ko: "끝난 프로세스는 부모가 기다려 줄 때까지 좀비로 남습니다. 번호와 종료 상태 말고는 아무것도 없습니다.",
        },
        Text {
            en: "Both outputs have to be read while the child runs: a pipe that is full makes it wait for ever.",
            ko: "자식이 실행되는 동안 두 출력을 모두 읽어야 합니다. 파이프가 가득 차면 자식은 영원히 기다립니다.",
        },
    ],
    claims: &[ARGUMENTS, CODE, STREAMS, WAITED, LIMITED, NOT_STARTED, BY_SUPERVISOR],
    commands: &[
        Hint {
            command: "supervisor -j 2 --tag -- echo hello {} ::: 'two words' '*'",
            why: Text {
                en: "Arguments stay as they are, also with blanks and *:",
                ko: "인수는 공백이나 *가 있어도 그대로입니다:",
            },
        },
        Hint {
            command: "supervisor -j 2 --output json -- sh -c 'exit {}' ::: 0 7",
            why: Text {
                en: "What came of each, as JSON:", ko: "각각이 어떻게 되었는지 JSON으로 봅니다:"
            },
        },
        Hint {
            command: "supervisor run --timeout 1s -- sleep 5; echo \"exit code $?\"",
            why: Text {
                en: "One command with a time limit; its exit code is passed on, 124 at the limit:",
                ko: "명령 하나에 제한 시간을 둡니다. 종료 코드는 그대로 전달되고, 제한 시간이 지나면 124입니다:",
            },
        },
        Hint {
            command: "supervisor run --output json -- sh -c 'echo good; echo bad >&2; exit 7'",
            why: Text {
                en: "Its output, exit, time and cost, as JSON:",
                ko: "출력, 종료 코드, 시간, 비용을 JSON으로 봅니다:",
            },
        },
    ],
};
