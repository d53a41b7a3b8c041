"""What the text of the training set says: sentences, names, numbers and times, made up."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_LATIN = _words("""
about after again air always among answer away back before begin between black blue boat book
bread bridge bright brown call carry change child city clear cloud cold color come corner country
dark dawn deep door down dream drop early earth evening every eye face fall far fast father field
fire first flower follow forest found friend garden glass gold good great green hand happy heart
heavy high hill hold home horse hour house island journey jump keep kind kitchen known lake large
last late leave letter light line little long look lost made many maybe mirror moment moon morning
mother mountain move music near never night north nothing number ocean often old once open other
over paint paper people picture place plain quick quiet rain reach red remember river road round
sail school sea season second seven shadow shape short silver simple sister sky sleep slow small
snow some song south speak spring star start stay stone story street summer sun table tell thank
there thing think time together tomorrow town train travel tree under until valley very voice wait
walk wall warm watch water west where white whole wide wind window winter with wonder wood world
write year yellow young zebra
""")
_NAMES = _words("""
Alexandra Amsterdam Bjørn Boston Chloé Daniela Dublin Edward Fatima François Helsinki Ingrid Jakub
Jörg Kyoto Lisbon Ludwig Málaga Marie Nairobi Ñuñoa Oxford Petra Quebec Reykjavík São Sofia Tábor
Umeå Vienna Walter Xavier Yvonne Zürich
""")
_GREEK = _words("""
αγάπη άνεμος βιβλίο βουνό γέφυρα δέντρο δρόμος ελπίδα ευχαριστώ ήλιος θάλασσα ιστορία καλημέρα
κόσμος λουλούδι μουσική μητέρα νερό νύχτα ξένος όνειρο ουρανός παράθυρο πόλη ρολόι σπίτι σύννεφο
ταξίδι ύπνος φεγγάρι φίλος χρόνος ψωμί ώρα Αθήνα Κρήτη
""")
_CYRILLIC = _words("""
берег весна ветер вечер вода время город гора двор день дерево дождь дом дорога друг ещё жизнь
завтра зима земля история книга корабль лес лето мир море музыка небо ночь облако осень письмо
поезд площадь река свет слово снег солнце стекло улица утро хлеб цвет человек школа эхо юность
яблоко Москва Київ София Београд
""")
_HAN = (
    "一二三十百千人日月水火木金土山川天地上下中大小高明東西南北春夏秋冬花鳥風雨雪星光海雲時間"
    "年今古新長短心手目耳口学校生国家道路車站電影話語文字書画音樂愛夢友朋父母子女男王龍虎馬魚"
    "門開閉出入来去行見聞食飲茶米安和平世界的是不我你他们这那有在了好吗谢再"
)


def line(script: str, length: int, random: Random) -> str:
    """One line of about `length` characters in `script`: latin, greek, cyrillic, han or digits."""
    parts: list[str] = []
    while len(" ".join(parts)) < length:
        parts.append(_part(script, random))
    return " ".join(parts)


def _part(script: str, random: Random) -> str:
    match script:
        case "digits":
            return _time(random)
        case "han":
            return "".join(random.choice(_HAN) for _ in range(random.randint(2, 9))) + "。"
        case "greek":
            return _sentence(_GREEK, random)
        case "cyrillic":
            return _sentence(_CYRILLIC, random)
    if random.random() < 0.25:
        return random.choice((_time, _amount, _address))(random)
    return _sentence(_LATIN + _NAMES, random)


def _sentence(words: Sequence[str], random: Random) -> str:
    chosen = [random.choice(words) for _ in range(random.randint(2, 7))]
    style = random.random()
    if style < 0.2:
        return " ".join(chosen).upper()
    if style < 0.4:
        return " ".join(word[0].upper() + word[1:] for word in chosen)
    if style < 0.5:
        chosen[len(chosen) // 2] = f"({chosen[len(chosen) // 2]})"
    if style < 0.6:
        chosen[0] = f"“{chosen[0]}”"
    if len(chosen) > 4:
        chosen[2] += random.choice((",", ";", ":", " –", " &"))
    sentence = " ".join(chosen) + random.choice((".", ".", "!", "?", "…", ""))
    return sentence[0].upper() + sentence[1:]


def _time(random: Random) -> str:
    hours, minutes, rest = random.randrange(24), random.randrange(60), random.randrange(100)
    return random.choice(
        (
            f"{hours:02}:{minutes:02}",
            f"{hours:02}:{minutes:02}:{rest % 60:02}:{rest % 25:02}",
            f"{1900 + rest}-{hours % 12 + 1:02}-{minutes % 28 + 1:02}",
            f"{minutes}.{rest:02}",
        )
    )


def _amount(random: Random) -> str:
    whole, cents = random.randrange(100_000), random.randrange(100)
    return random.choice(
        (f"${whole:,}.{cents:02}", f"{whole} km/h", f"+{cents}%", f"£{cents}.99", f"No. {whole}",
         f"{cents}×{whole % 97}={cents * (whole % 97)}", f"#{whole:04X}", f"[{cents}/100]")
    )  # fmt: skip


def _address(random: Random) -> str:
    first, second = random.choice(_LATIN), random.choice(_LATIN)
    return random.choice(
        (f"www.{first}-{second}.example", f"{first}_{second}@mail.example", f"@{first}{second}",
         f"{first}/{second}.txt", f"*{first}*", f"{{{first}: {second}}}")
    )  # fmt: skip
