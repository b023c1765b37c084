//! The words of the lesson `order`.

use super::super::language::Text;
use super::super::words::{Hint, LessonWords};

pub const FIFO: Text = Text {
    en: "fifo handed the items out in the order of their arrival.",
    ko: "fifo는 항목을 도착한 순서대로 내보냈습니다.",
};
pub const LIFO: Text = Text {
    en: "lifo handed out the newest item first.",
    ko: "lifo는 가장 나중에 온 항목을 먼저 내보냈습니다.",
};
pub const PRIORITY: Text = Text {
    en: "priority handed out the smallest number first, and equal numbers in the order of their arrival.",
    ko: "priority는 가장 작은 수를 먼저, 같은 수는 도착한 순서대로 내보냈습니다.",
};
pub const ALL_THERE: Text = Text {
    en: "Each order handed out the same items, each once.",
    ko: "세 순서 모두 같은 항목을 각각 한 번씩 내보냈습니다.",
};

pub const ARRIVAL: Text = Text {
    en: "The items in the order of their arrival, each with a number. Each program below reads them from stdin:",
    ko: "도착한 순서대로 적은 항목과 그 번호입니다. 아래의 프로그램은 모두 이 항목을 표준 입력에서 읽습니다:",
};
pub const SIDE_BY_SIDE: Text =
    Text { en: "What the worker got, first to last:", ko: "작업자가 받은 순서입니다(위에서 아래로):" };
pub const ORDER_OF: Text = Text { en: "order of {queue}", ko: "{queue}의 순서" };

pub const WORDS: LessonWords = LessonWords {
    title: Text { en: "The order of a queue", ko: "큐의 순서" },
    summary: Text {
        en: "first in first out, last in first out, and by priority, on the same items",
        ko: "같은 항목으로 비교하는 FIFO, LIFO, 우선순위 큐",
    },
    does: &[Text {
        en: "Six items wait in a queue, each with a number. One worker takes them one at a time, so the order in which it \
             gets them is the order of the queue. The program runs three times on the same items: first in first out \
             (fifo), last in first out (lifo), and smallest number first (priority).",
        ko: "번호가 붙은 항목 6개가 큐에서 기다립니다. 작업자 하나가 한 번에 하나씩 가져가므로, 받는 순서가 곧 큐의 순서입니다. \
             같은 항목으로 프로그램을 세 번 실행합니다. 먼저 들어온 것부터(fifo), 나중에 들어온 것부터(lifo), 작은 번호부터\
             (priority)입니다.",
    }],
    notice: &[
        Text {
            en: "fifo is fair: no item waits longer than those in front of it take. lifo serves who came last and lets the \
                 first ones wait, for as long as new ones arrive.",
            ko: "fifo는 공평합니다. 앞에 있는 항목이 끝나는 만큼만 기다립니다. lifo는 나중에 온 것부터 처리하므로, 새 항목이 \
                 계속 오면 처음 온 항목은 한없이 기다립니다.",
        },
        Text {
            en: "An order is only an order of what waits. An item that is already at a worker is not overtaken, and what was \
                 not read yet cannot be sorted: lifo and priority read a million items ahead for that.",
            ko: "순서는 기다리는 항목 사이에만 있습니다. 이미 작업자에게 간 항목은 앞지를 수 없고, 아직 읽지 않은 항목은 정렬할 \
                 수 없습니다. 그래서 lifo와 priority는 항목을 백만 개까지 미리 읽습니다.",
        },
        Text {
            en: "With several workers items end in another order than they began. --keep-order puts the results back into \
                 the order of the input; it changes nothing about who works on what.",
            ko: "작업자가 여럿이면 시작한 순서와 끝나는 순서가 다릅니다. --keep-order는 결과를 입력 순서로 되돌려 놓을 뿐, 누가 \
                 무엇을 처리하는지는 바꾸지 않습니다.",
        },
    ],
    claims: &[FIFO, LIFO, PRIORITY, ALL_THERE],
    commands: &[
        Hint {
            command: "printf '2\\tb\\n1\\ta\\n3\\tc\\n' | supervisor -j 1 --queue priority -a - --task echo",
            why: Text {
                en: "Items by priority; each line is NUMBER<TAB>ITEM:",
                ko: "우선순위대로 처리합니다. 각 줄은 번호<TAB>항목입니다:",
            },
        },
        Hint {
            command: "supervisor -j 2 --keep-order --task sleep ::: 0.3 0.1 0.2",
            why: Text {
                en: "The results in the order of the input:", ko: "결과를 입력 순서로 출력합니다:"
            },
        },
    ],
};
