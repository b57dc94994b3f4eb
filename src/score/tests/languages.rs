//! Other languages and scripts: what is copied is grounded, what is unrelated is not, and a refusal is one.

use super::*;

/// `(language, context, copied, unrelated)`.
const PAIRS: [(&str, &str, &str, &str); 12] = [
    (
        "de",
        "Die Rückgabe ist innerhalb von 30 Tagen möglich. Der Käufer trägt die Kosten für den Versand.",
        "Die Rückgabe ist innerhalb von 30 Tagen möglich, und der Käufer trägt die Kosten für den Versand.",
        "Das Gerät wird mit einer Tasche und mit einem Netzteil aus Aluminium geliefert.",
    ),
    (
        "es",
        "La garantía dura dos años y no cubre las baterías. Las devoluciones se aceptan en un plazo de 30 días.",
        "La garantía dura dos años. Las devoluciones se aceptan en un plazo de 30 días.",
        "El envío es gratuito para los socios y se entrega en la oficina de correos.",
    ),
    (
        "fr",
        "La garantie est valable deux ans et ne couvre pas les batteries. Les retours sont acceptés sous 30 jours.",
        "La garantie est valable deux ans et ne couvre pas les batteries.",
        "Le magasin est ouvert dans toute la ville et les clients sont servis par une équipe de robots.",
    ),
    (
        "it",
        "La garanzia dura due anni e non copre le batterie. I resi sono accettati entro 30 giorni.",
        "La garanzia dura due anni e non copre le batterie.",
        "Il negozio è aperto anche di notte e la consegna è gratuita per tutti i soci.",
    ),
    (
        "pt",
        "A garantia dura dois anos e não cobre as baterias. As devoluções são aceitas em 30 dias.",
        "A garantia dura dois anos e não cobre as baterias.",
        "O envio é gratuito para os sócios e a loja também abre aos domingos.",
    ),
    (
        "nl",
        "De garantie is twee jaar geldig en dekt de batterijen niet. Retouren zijn mogelijk binnen 30 dagen.",
        "De garantie is twee jaar geldig en dekt de batterijen niet.",
        "De winkel is ook op zondag open en het bezorgen is voor leden gratis.",
    ),
    (
        "zh",
        "保修期为自购买之日起两年，电池不在保修范围内。退货须在三十天内提出。",
        "保修期为自购买之日起两年，电池不在保修范围内。",
        "全球所有会员均可享受免费送货服务和生日礼物。",
    ),
    (
        "ar",
        "مدة الضمان سنتان من تاريخ الشراء ولا تشمل البطاريات. يمكن إرجاع المنتج خلال ثلاثين يوما.",
        "مدة الضمان سنتان من تاريخ الشراء ولا تشمل البطاريات.",
        "الشحن مجاني إلى جميع الدول العربية مع هدية لكل عضو جديد.",
    ),
    (
        "fa",
        "مدت ضمانت دو سال از تاریخ خرید است و باتری را شامل نمی‌شود.",
        "مدت ضمانت دو سال از تاریخ خرید است.",
        "ارسال رایگان به سراسر جهان برای همه اعضای تازه انجام می‌گیرد.",
    ),
    ("km", "ការធានាមានរយៈពេលពីរឆ្នាំ។ ថ្មមិនរាប់បញ្ចូលទេ។", "ការធានាមានរយៈពេលពីរឆ្នាំ។", "ការដឹកជញ្ជូនឥតគិតថ្លៃទូទាំងពិភពលោក។"),
    (
        "hi",
        "वारंटी खरीद की तारीख से दो साल तक मान्य है। बैटरी वारंटी में शामिल नहीं है।",
        "वारंटी खरीद की तारीख से दो साल तक मान्य है।",
        "सभी नए सदस्यों को पूरी दुनिया में मुफ़्त डिलीवरी और उपहार मिलता है।",
    ),
    (
        "ko",
        "보증 기간은 구매일로부터 2년이며 배터리는 제외됩니다. 반품은 30일 이내에 가능합니다.",
        "보증 기간은 구매일로부터 2년이며 배터리는 제외됩니다.",
        "모든 신규 회원에게 전 세계 무료 배송과 생일 선물을 드립니다.",
    ),
];

#[test]
fn what_is_copied_is_grounded_in_any_language_and_what_is_unrelated_is_not() {
    for (language, context, copied, unrelated) in PAIRS {
        let good = scores("", copied, &[context]);
        let bad = scores("", unrelated, &[context]);
        assert_eq!((good.state, bad.state), (State::Scored, State::Scored), "{language}");
        assert_eq!(good.sentence_support, Some(Score::ONE), "{language} {good:?}");
        assert!(good.groundedness > Some(Score(750_000_000)), "{language} {good:?}");
        assert!(bad.groundedness < Some(Score(200_000_000)), "{language} {bad:?}");
    }
}

#[test]
fn a_changed_number_is_seen_in_any_language() {
    for (context, changed) in [
        ("La garantía dura 24 meses y no cubre las baterías.", "La garantía dura 36 meses y no cubre las baterías."),
        ("Die Garantie gilt für 24 Monate ab Kauf.", "Die Garantie gilt für 36 Monate ab Kauf."),
        ("保证期为24个月，电池除外。", "保证期为36个月，电池除外。"),
        ("보증 기간은 24개월입니다.", "보증 기간은 36개월입니다."),
        ("वारंटी २४ महीने तक मान्य है।", "वारंटी 36 महीने तक मान्य है।"),
        ("การรับประกันมีอายุ ๒๔ เดือน", "การรับประกันมีอายุ 36 เดือน"),
    ] {
        assert!(support(changed, context) < 0.5, "{changed} {}", support(changed, context));
        assert!(support(context, context) > 0.8, "{context} {}", support(context, context));
    }
    assert!(support("वारंटी 24 महीने तक मान्य है।", "वारंटी २४ महीने तक मान्य है।") > 0.8);
}

#[test]
fn scripts_mix_within_a_sentence() {
    let context = "GPT-4モデルは2023年3月14日にOpenAIによって公開されました。Der Preis beträgt 20 USD.";
    let good = scores("", "GPT-4モデルは2023年3月に公開されました。", &[context]);
    let bad = scores("", "GPT-5モデルは2024年9月にGoogleが発売しました。", &[context]);
    assert!(good.groundedness > Some(Score(700_000_000)), "{good:?}");
    assert!(bad.groundedness < Some(Score(300_000_000)), "{bad:?}");
}

#[test]
fn a_refusal_is_one_in_the_main_languages() {
    let context = "Larkfield X200: 24.";
    for refusal in [
        "Das weiß ich leider nicht, denn der Text enthält keine Angaben dazu.",
        "Es tut mir leid, aber ich kann diese Frage nicht beantworten.",
        "Dazu liegen mir keine Informationen vor.",
        "Das geht aus dem Kontext nicht hervor.",
        "No lo sé.",
        "Lo siento, pero no puedo responder a esa pregunta.",
        "El texto no menciona el precio.",
        "Je suis désolé, mais je ne peux pas répondre à cette question.",
        "Le document ne mentionne pas le prix.",
        "Mi dispiace, ma non posso rispondere a questa domanda.",
        "Il documento non contiene informazioni sul prezzo.",
        "Desculpe, mas não posso responder a essa pergunta.",
        "Não há informações sobre o preço no texto.",
        "Het spijt me, maar ik kan deze vraag niet beantwoorden.",
        "De tekst bevat geen informatie over de prijs.",
        "申し訳ありませんが、その質問にはお答えできません。",
        "提供された文書には価格に関する情報は含まれていません。",
        "抱歉，我无法回答这个问题。",
        "提供的文档中没有提到价格。",
        "죄송하지만 그 질문에는 답변할 수 없습니다.",
        "제공된 문서에는 가격에 대한 정보가 없습니다.",
        "عذرًا، لا أستطيع الإجابة عن هذا السؤال.",
        "النص لا يذكر السعر.",
        "Извините, но я не могу ответить на этот вопрос.",
        "В тексте нет информации о цене.",
        "मुझे खेद है, मैं इस प्रश्न का उत्तर नहीं दे सकता।",
        "दस्तावेज़ में कीमत की जानकारी नहीं है।",
    ] {
        let found = scores("", refusal, &[context]);
        assert_eq!((found.state, found.refusal), (State::Abstained, true), "{refusal}");
    }
}

#[test]
fn a_claim_with_a_negation_is_no_refusal_in_any_language() {
    for claim in [
        "Die Akkus sind nicht durch die Garantie abgedeckt.",
        "La garantía no cubre las baterías ni los accesorios.",
        "La garantie ne couvre pas les batteries.",
        "La garanzia non copre le batterie.",
        "A garantia não cobre as baterias.",
        "De garantie dekt de batterijen niet.",
        "電池は保証の対象に含まれません。",
        "电池不在保修范围内。",
        "배터리는 보증에서 제외되며 교환되지 않습니다.",
        "البطاريات غير مشمولة بالضمان.",
        "Аккумуляторы не входят в гарантию.",
        "बैटरी वारंटी में शामिल नहीं है।",
    ] {
        let found = scores("", claim, &[claim]);
        assert_eq!((found.state, found.sentence_support), (State::Scored, Some(Score::ONE)), "{claim}");
    }
}

#[test]
fn letters_written_in_parts_are_the_same_letters() {
    let context = "The café in Köln opens at nine. Việt Nam và Tiếng Việt. 한국어 보증.";
    for response in ["The cafe\u{301} in Ko\u{308}ln opens at nine.", "Vie\u{323}\u{302}t Nam và Tiê\u{301}ng Viê\u{323}t."] {
        assert_eq!(verdicts(response, context), [Verdict::Supported], "{response}");
    }
}
