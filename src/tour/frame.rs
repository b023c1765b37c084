//! The words of the tour itself.

use super::language::Text;

pub const TITLE: Text = Text { en: "A tour of processes and threads", ko: "프로세스와 스레드 둘러보기" };
pub const INTRODUCTION: Text = Text {
    en: "Each lesson starts real processes on this machine, measures them, and checks its own claims against what \
         it measured. Nothing is canned.",
    ko: "각 수업은 이 컴퓨터에서 실제 프로세스를 시작하여 측정하고, 측정한 결과로 자신의 주장을 검증합니다. 미리 준비해 둔 \
         출력은 하나도 없습니다.",
};
pub const USE: Text = Text {
    en: "supervisor tour LESSON holds one of them, supervisor tour all holds all. --auto does not wait for Enter, \
         --lang en|ko sets the language, --output json prints what was measured.",
    ko: "supervisor tour LESSON은 수업 하나를, supervisor tour all은 모든 수업을 진행합니다. --auto는 Enter를 기다리지 \
         않고, --lang en|ko는 언어를 정하며, --output json은 측정한 값을 출력합니다.",
};
pub const DOES: Text = Text { en: "What it does", ko: "무엇을 하는가" };
pub const HAPPENS: Text = Text { en: "What happens", ko: "무슨 일이 일어나는가" };
pub const NOTICE: Text = Text { en: "What to notice", ko: "무엇을 눈여겨볼 것인가" };
pub const CLAIMS: Text = Text { en: "Checked against what was measured", ko: "측정한 값으로 검증한 것" };
pub const CLAIMS_OF_PAGE: Text = Text { en: "What it checks", ko: "무엇을 검증하는가" };
pub const COMMANDS: Text = Text { en: "Go on with", ko: "이어서 해 볼 명령" };
pub const HOLDS: Text = Text { en: "holds", ko: "성립" };
pub const FAILS: Text = Text { en: "DOES NOT HOLD", ko: "성립하지 않음" };
pub const NOT_CHECKED: Text = Text { en: "not checked here", ko: "여기서는 확인 불가" };
pub const FORGOTTEN: Text =
    Text { en: "the lesson did not come to it", ko: "수업이 이 주장까지 진행되지 못했습니다" };
pub const ENTER: Text = Text { en: "[Enter goes on]", ko: "[Enter를 누르면 계속합니다]" };
pub const FLOW: Text = Text { en: "The flow of this command:", ko: "다음 명령의 흐름입니다:" };
pub const MORE_LINES: Text = Text { en: "... {count} more lines ...", ko: "... {count}줄 생략 ..." };
pub const RUN_IT: Text = Text {
    en: "Run this lesson on your machine; it starts real processes and checks the claims below against what it \
         measures:",
    ko: "다음 명령으로 이 수업을 직접 실행할 수 있습니다. 실제 프로세스를 시작하고, 측정한 값으로 아래의 주장을 검증합니다:",
};
pub const MADE_FROM: Text = Text {
    en: "This page is made from the texts of the program. It has no measured values: those are yours.",
    ko: "이 문서는 프로그램에 들어 있는 글로 만들었습니다. 측정값은 없습니다. 그 값은 여러분의 컴퓨터에서 나옵니다.",
};
