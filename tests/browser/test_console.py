"""The console in a browser, before a whole service: what people see and do there."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Page, Request, Route, expect

from bench.console_service import ConsoleService

OpenConsole = Callable[..., Page]
Rules = dict[str, tuple[str, str]]

# Seconds that a condition may take on a machine that others share.
PATIENCE = 120
LIMIT_BYTES = 60_000
VIEWS = ("search", "explain", "edit", "state")
LANES = ("lexical", "dense", "hybrid")
AGE = re.compile(r"^\d+,\d\sс$")


def until(condition: Callable[[], Any], page: Page) -> Any:
    """Polls from here: the page's policy forbids what playwright would evaluate in it."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)
    return value


def unique(words: str) -> str:
    return f"{words} {uuid4().hex[:8]}"


def search(page: Page, query: str) -> None:
    page.locator("#query").fill(query)
    page.locator("#query").press("Enter")


def asks(query: str) -> Callable[[Request], bool]:
    """Whether a request is a search for this: others may be under way still."""
    return lambda sent: sent.url.endswith("/v1/rag/search") and query in (sent.post_data or "")


def write(page: Page, template_id: str, title: str, body: str) -> None:
    """Fills the editor in and saves."""
    page.locator("#edit-id").fill(template_id)
    page.locator("#edit-name").fill(title)
    page.locator("#edit-body").fill(body)
    page.locator("#edit-save").click()


def test_the_lanes_stand_side_by_side(
    open_console: OpenConsole, service: ConsoleService, rules: Rules
) -> None:
    page = open_console()
    query = {"query": "как пишется слово коровы", "mode": "dense"}
    # On a busy machine the first vector can come too late for its search; it is kept for the next.
    until(lambda: service.client.post("/v1/rag/search", json=query).json()["mode"] == "dense", page)
    search(page, query["query"])
    for lane in LANES:
        column = page.locator(f".lane.{lane}")
        hit = column.locator("li", has_text=rules["cow"][0])
        expect(hit.locator("code")).to_have_text(re.compile("^cow v1$"))
        expect(hit.locator("mark")).to_have_text(["Слово", "корова", "пишется", "корова"])
        expect(column.locator(".badge").first).to_have_text(lane)
        expect(column.locator("b")).to_have_text(re.compile(r"^[\d,\s]+мс$"))
    tops = {page.locator(f".lane.{lane}").bounding_box()["y"] for lane in LANES}
    assert len(tops) == 1, "beside each other"
    first = page.locator(".hybrid li").first
    expect(first.locator(".place.lexical")).to_have_text("По словам: 1")
    expect(page.locator("#search-said")).to_contain_text(rules["cow"][0])


def test_marks_stand_where_the_service_counts_them(
    open_console: OpenConsole, service: ConsoleService
) -> None:
    """In code points, of which some are two units for JavaScript."""
    query = "слово корова запомнить"
    answer = service.client.post("/v1/rag/search", json={"query": query, "mode": "lexical"}).json()
    hit = next(one for one in answer["hits"] if one["template_id"] == "cow")
    wanted = [hit["text"][one["start"] : one["end"]] for one in hit["highlights"]]
    assert wanted
    page = open_console()
    search(page, query)
    marks = page.locator(".lexical li", has_text=hit["title"]).locator("mark")
    expect(marks).to_have_text(wanted)


def test_a_long_passage_shows_the_part_with_the_words(open_console: OpenConsole) -> None:
    page = open_console()
    text = "Вступление о другом. " * 40 + "Здесь стоит баклажан. " + "Ещё о другом. " * 40
    hit = {
        "template_id": "long",
        "version": 1,
        "title": "Длинное",
        "text": text,
        "score": 1.0,
        "highlights": [{"start": text.index("баклажан"), "end": text.index("баклажан") + 8}],
    }
    timings = {"lexical": 1.0, "vector": 1.0, "search": 1.0, "total": 3.0}
    body = {"hits": [hit], "mode": "lexical", "degraded": False, "timings_ms": timings}
    page.route("**/v1/rag/search", lambda route: route.fulfill(json=body))
    search(page, "баклажан")
    shown = page.locator(".lexical .text")
    expect(shown.locator("mark")).to_have_text("баклажан")
    assert len(shown.inner_text()) < 320
    assert re.match(r"^… .*Здесь стоит баклажан\. .* …$", shown.inner_text())


def test_filters_narrow_the_search(open_console: OpenConsole) -> None:
    page = open_console()
    page.locator("#search summary").click()
    page.locator("#filter-exam").fill("no-such-exam")
    search(page, "корова")
    expect(page.locator(".lane .empty")).to_have_text(["Ничего не нашлось."] * 3)


def test_an_explanation_streams(
    open_console: OpenConsole, service: ConsoleService, rules: Rules
) -> None:
    service.script(interval=0.4, pieces=6)
    page = open_console("explain")
    question = unique("Как пишется слово корова?")
    page.locator("#question").fill(question)
    page.locator("#correct").fill("корова")
    page.locator("#explain-go").click()
    expect(page.locator("#explain-stop")).to_be_visible()
    lengths: set[int] = set()

    def over() -> bool:
        lengths.add(len(page.locator("#answer").inner_text()))
        return page.locator("#answer-foot b").count() > 0

    until(over, page)
    assert len(lengths - {0}) >= 3, f"piece by piece: {sorted(lengths)}"
    answer = page.locator("#answer").inner_text()
    assert answer.endswith("(Это текст подставной модели.)")
    expect(page.locator("#answer-head .source")).to_have_text("языковая модель")
    expect(page.locator("#answer-head .warn")).to_have_count(0)
    expect(page.locator("#answer-foot")).to_contain_text("yandexgpt-lite")
    expect(page.locator("#answer-foot")).to_have_text(re.compile(r"токенов [1-9]"))
    passage = page.locator("#passages li", has_text=rules["cow"][0])
    passage.locator("summary").click()
    expect(passage.locator(".text")).to_have_text(rules["cow"][1])
    expect(page.locator("#explain-stop")).to_be_hidden()

    page.locator("#explain-go").click()
    expect(page.locator("#answer-head .source")).to_have_text("из памяти")
    assert page.locator("#answer").inner_text() == answer


def test_without_the_model_the_rules_speak(
    open_console: OpenConsole, service: ConsoleService, rules: Rules
) -> None:
    service.script(kind="error", status=401)
    page = open_console("explain")
    page.locator("#question").fill(unique("Как пишется слово корова?"))
    page.locator("#explain-go").click()
    expect(page.locator("#answer-head .source")).to_have_text("сборник правил")
    expect(page.locator("#answer-head .warn")).to_have_text("неполно")
    expect(page.locator("#answer")).to_contain_text(rules["cow"][0])


def test_a_stream_can_be_stopped(open_console: OpenConsole, service: ConsoleService) -> None:
    service.script(kind="hang", after=900, pieces=8)
    page = open_console("explain")
    page.locator("#question").fill(unique("Как пишется слово корова?"))
    page.locator("#explain-go").click()
    expect(page.locator("#answer")).not_to_be_empty()
    page.keyboard.press("Escape")
    expect(page.locator("#answer-head")).to_have_text("остановлено")
    expect(page.locator("#explain-go")).to_be_enabled()
    until(lambda: service.model.get("/_control/journal").json()["running"] == 0, page)


SOURCES = {
    "llm": "языковая модель",
    "cache": "из памяти",
    "stale-cache": "прежний ответ",
    "rules": "сборник правил",
}


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_has_words_of_its_own(open_console: OpenConsole, source: str) -> None:
    page = open_console("explain")
    answer_with(page, source=source, truncated=source == "llm", degraded=source != "cache")
    page.locator("#question").fill("Почему?")
    page.locator("#explain-go").click()
    expect(page.locator("#answer")).to_have_text("Потому что.\n\nТак.")
    badges = ["неполно"] * (source != "cache") + ["оборвано"] * (source == "llm")
    expect(page.locator("#answer-head .badge")).to_have_text([SOURCES[source], *badges])
    expect(page.locator("#answer-head small")).not_to_be_empty()


def answer_with(page: Page, **done: Any) -> None:
    """A stream as the service writes it, comments included."""
    passages = {"passages": [], "search": {"mode": "lexical", "degraded": True}}
    timings = {"search": 1.0, "phrase": 1.0, "total": 2.0}
    rest = {"explanation": "", "model": None, "model_version": None, "usage": None}
    events = [
        ("passages", passages),
        ("delta", {"text": "Потому что.\n\n"}),
        ("delta", {"text": "Так."}),
        ("done", {**passages, **rest, "timings_ms": timings, **done}),
    ]
    body = ": keep-alive\n\n".join(
        f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n" for name, data in events
    )

    def fulfill(route: Route) -> None:
        route.fulfill(body=body, content_type="text/event-stream")

    page.route("**/v1/explanations", fulfill)


def test_an_edit_is_followed_until_it_is_found(
    open_console: OpenConsole, service: ConsoleService
) -> None:
    word = f"брузглавль{uuid4().hex[:6]}"
    page = open_console("edit")
    write(page, f"edit-{word[-6:]}", f"Слово {word}", "Пишется, как слышится.")
    steps = page.locator("#way li")
    expect(steps.nth(0)).to_have_text(re.compile("версия 1"))
    expect(page.locator("#way-said")).to_have_text(re.compile("^Находится через"))
    expect(page.locator("#way .over")).to_have_count(3)
    age = page.locator("#age").inner_text()
    assert AGE.match(age)
    page.wait_for_timeout(300)
    assert page.locator("#age").inner_text() == age, "the clock stands when the edit is found"

    page.locator("#edit-body").fill("Теперь иначе.")
    page.locator("#edit-save").click()
    expect(steps.nth(0)).to_have_text(re.compile("версия 2"))
    expect(page.locator("#way-said")).to_have_text(re.compile("^Находится через"))
    page.locator("#way-find").click()
    hit = page.locator(".hybrid li", has_text=word)
    expect(hit.locator(".text")).to_have_text("Теперь иначе.")
    expect(hit.locator("code")).to_have_text(re.compile(" v2$"))

    hit.get_by_role("button", name=f"править: Слово {word}").click()
    expect(page.locator("#edit-version")).to_have_text(re.compile("^Версия 2"))
    expect(page.locator("#edit-body")).to_have_value("Теперь иначе.")
    page.locator("#edit-draft").check()
    page.locator("#edit-save").click()
    expect(page.locator("#way-said")).to_have_text(re.compile("^Исчезло через"))
    page.locator("#edit-draft").uncheck()
    page.locator("#edit-save").click()
    expect(page.locator("#way-said")).to_have_text(re.compile("^Находится через"))
    page.locator("#edit-delete").click()
    expect(page.locator("#way-said")).to_have_text(re.compile("^Исчезло через"))
    expect(page.locator("#edit-delete")).to_be_disabled()


def test_the_clock_runs_while_an_edit_is_on_its_way(open_console: OpenConsole) -> None:
    page = open_console("edit")
    page.route("**/v1/rag/search", lambda route: route.fulfill(json={"hits": []}))
    write(page, "clock", unique("Часы"), "Текст.")
    seen: set[str] = set()

    def ran() -> bool:
        seen.add(page.locator("#age").inner_text())
        return len(seen) >= 4

    until(ran, page)
    assert all(AGE.match(one) for one in seen - {"—"})
    expect(page.locator("#way .now")).to_contain_text("ждут")
    page.unroute("**/v1/rag/search")
    expect(page.locator("#way-said")).to_have_text(re.compile("^Находится через"))


def test_a_rule_that_is_not_there(open_console: OpenConsole, watch: Any) -> None:
    watch.expected = ["404"]
    page = open_console("edit")
    page.locator("#edit-id").fill("no-such-rule")
    page.locator("#edit-id").press("Enter")
    expect(page.locator("#edit-fault b")).to_have_text("Такого правила нет.")
    expect(page.locator("#edit-fault small")).to_contain_text("404")
    expect(page.locator("#edit-delete")).to_be_disabled()


def test_what_somebody_else_wrote_is_not_written_over(
    open_console: OpenConsole, service: ConsoleService, watch: Any
) -> None:
    watch.expected = ["412"]
    template_id = f"shared-{uuid4().hex[:6]}"
    path = f"/v1/templates/{template_id}"
    service.client.put(path, json={"title": "Общее", "body": "Первое."}).raise_for_status()
    page = open_console("edit")
    # Never opened here, so it is taken for a new one.
    write(page, template_id, "Моё", "Моё.")
    fault = page.locator("#edit-fault b")
    expect(fault).to_have_text("Правило успели изменить: откройте его снова.")
    page.locator("#edit-load").click()
    expect(page.locator("#edit-name")).to_have_value("Общее")
    expect(fault).to_have_count(0)
    service.client.put(path, json={"title": "Общее", "body": "Второе."}).raise_for_status()
    page.locator("#edit-save").click()
    expect(fault).to_have_text("Правило успели изменить: откройте его снова.")
    assert service.client.get(path).json()["body"] == "Второе."


ATTACK = "<img src=x onerror=\"alert('title')\"><script>alert('script')</script>"


def test_content_is_text_and_never_markup(
    open_console: OpenConsole, service: ConsoleService
) -> None:
    word = f"зловредень{uuid4().hex[:6]}"
    title, body = f"{word} {ATTACK}", f"{ATTACK} {word} <b>жирно</b> &amp;"
    page = open_console("edit")
    write(page, f"attack-{word[-6:]}", title, body)
    expect(page.locator("#way-find")).to_be_visible()
    page.locator("#way-find").click()
    for lane in LANES:
        hit = page.locator(f".{lane} li", has_text=word).first
        expect(hit.locator("h3")).to_have_text(title)
        expect(hit.locator(".text")).to_have_text(body)
    service.script(text=f"{word} {ATTACK}")
    page.keyboard.press("Escape")
    page.locator("nav [href='#explain']").click()
    page.locator("#question").fill(f"{word} {ATTACK}")
    page.locator("#explain-go").click()
    expect(page.locator("#answer-foot b")).not_to_have_count(0)
    expect(page.locator("#answer")).to_have_text(f"{word} {ATTACK}")
    expect(page.locator("#passages summary", has_text=word)).to_contain_text(ATTACK)
    assert page.locator("img").count() == 1, "the page's own"
    assert page.locator("script").count() == 1
    service.client.delete(f"/v1/templates/attack-{word[-6:]}").raise_for_status()


def test_all_of_it_by_keyboard(open_console: OpenConsole, service: ConsoleService) -> None:
    page = open_console()
    keyboard = page.keyboard

    def focused(expression: str = "id") -> Any:
        return page.evaluate(f"() => document.activeElement.{expression}")

    keyboard.press("Tab")
    assert focused("className") == "skip"
    keyboard.press("Enter")
    assert focused() == "main"
    expect(page.locator("#search")).to_be_visible()
    keyboard.press("Tab")
    assert focused() == "query"
    keyboard.type("как пишется слово корова")
    keyboard.press("Enter")
    expect(page.locator(".hybrid li").first).to_be_visible()

    # On to the editor through the hit's own button; each stop on the way shows where it is.
    def tab_to_editing() -> bool:
        keyboard.press("Tab")
        width = page.evaluate("() => getComputedStyle(document.activeElement).outlineWidth")
        assert float(width.removesuffix("px")) >= 2, focused("outerHTML")
        return str(focused("textContent")) == "править"

    until(tab_to_editing, page)
    keyboard.press("Enter")
    expect(page.locator("#edit-version")).to_have_text(re.compile("^Версия"))
    assert focused() == "edit-id"
    until(lambda: keyboard.press("Tab") or focused() == "edit-tags", page)
    keyboard.type("слова")
    keyboard.press("Control+Enter")
    expect(page.locator("#way-said")).to_have_text(re.compile("^Находится через"))

    keyboard.press("Escape")
    assert focused("tagName") == "BODY"
    keyboard.press("2")
    assert focused() == "question"
    keyboard.type("Как пишется 1 корова?")
    keyboard.press("Control+Enter")
    expect(page.locator("#answer-foot b")).not_to_have_count(0)
    keyboard.press("Escape")
    keyboard.press("4")
    expect(page.locator("#workers td").first).to_have_text("worker-1")
    keyboard.press("/")
    assert focused() == "query"
    assert page.locator("#query").input_value() == "как пишется слово корова", "no slash typed"


def test_the_keys_work_with_a_russian_layout(open_console: OpenConsole) -> None:
    """There the key of K writes Л, that of T Е and that of / a full stop."""
    page = open_console("state")
    press = (
        "([key, code]) => document.body.dispatchEvent("
        "new KeyboardEvent('keydown', { key, code, bubbles: true, cancelable: true }))"
    )
    page.evaluate(press, ["е", "KeyT"])
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.evaluate(press, ["л", "KeyK"])
    expect(page.locator("#key-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#key-dialog")).to_be_hidden()
    page.evaluate(press, [".", "Slash"])
    expect(page.locator("#query")).to_be_focused()


def test_the_key_goes_with_the_requests_and_stays_in_the_tab(
    open_console: OpenConsole, watch: Any
) -> None:
    watch.expected = ["401"]
    page = open_console()
    refused = {"detail": "An API key is needed.", "code": "unauthorized", "request_id": "r-1"}
    page.route("**/v1/rag/search", lambda route: route.fulfill(status=401, json=refused))
    search(page, "корова")
    expect(page.locator(".lexical .fault b")).to_have_text("Нужен ключ API.")
    expect(page.locator(".lexical .fault small")).to_contain_text("401 · r-1")
    page.unroute("**/v1/rag/search")

    page.locator("#key-open").click()
    page.locator("#key").fill("secret-key")
    page.keyboard.press("Enter")
    expect(page.locator("#key-dialog")).to_be_hidden()
    with page.expect_request(asks("телега")) as sent:
        search(page, "телега")
    assert sent.value.headers["authorization"] == "Bearer secret-key"
    assert page.locator("#key").input_value() == ""
    stored = page.evaluate("() => [JSON.stringify(sessionStorage), JSON.stringify(localStorage)]")
    assert "secret-key" in stored[0] and "secret-key" not in stored[1]
    assert "secret-key" not in str(page.context.storage_state())
    page.locator("#key-open").click()
    page.get_by_role("button", name="Забыть").click()
    with page.expect_request(asks("хомут")) as sent:
        search(page, "хомут")
    assert "authorization" not in sent.value.headers


CONTRAST = """() => {
  const light = (colour) => {
    const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((one) => one / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const { backgroundColor } = getComputedStyle(one);
      if (!/, 0\\)$|transparent/.test(backgroundColor)) return backgroundColor;
    }
    return "rgb(255, 255, 255)";
  };
  const kinds = "h1, h2, h3, p, small, label, a, b, code, dt, dd, mark, .badge, button";
  return [...document.querySelectorAll(kinds)]
    .filter((one) => one.checkVisibility() && one.textContent.trim() && !one.disabled)
    .map((one) => {
      const both = [light(getComputedStyle(one).color), light(ground(one))];
      const ratio = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
      return [ratio, one.outerHTML.slice(0, 90)];
    }).filter(([ratio]) => ratio < 4.5);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_both_themes(open_console: OpenConsole, scheme: str) -> None:
    """WCAG's 4.5 to 1, for whatever stands on the page."""
    page = open_console(color_scheme=scheme)
    search(page, "как пишется слово корова")
    expect(page.locator(".hybrid li").first).to_be_visible()
    expect(page.locator(".dense li").first).to_be_visible()
    for view in VIEWS:
        page.goto(f"{page.url.split('#')[0]}#{view}")
        expect(page.locator(f"#{view}")).to_be_visible()
        pale = page.evaluate(CONTRAST)
        assert not pale, pale


def test_the_theme_follows_the_system_until_somebody_chooses(open_console: OpenConsole) -> None:
    page = open_console(color_scheme="light")

    def dark() -> bool:
        colour = page.evaluate("() => getComputedStyle(document.querySelector('header')).color")
        return min(map(int, re.findall(r"\d+", colour))) > 128

    assert not dark()
    page.emulate_media(color_scheme="dark")
    assert dark()
    theme = page.locator("#theme")
    expect(theme).to_have_attribute("aria-pressed", "true")
    theme.click()
    assert not dark()
    page.reload()
    expect(theme).to_have_attribute("aria-pressed", "false")
    assert not dark()


CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)


def test_the_language_is_the_browsers_until_somebody_chooses(open_console: OpenConsole) -> None:
    page = open_console(locale="en-GB")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    search(page, "как пишется слово корова")
    expect(page.locator(".hybrid h2")).to_have_text("Together")
    expect(page.locator(".hybrid li").first).to_be_visible()
    for view in VIEWS:
        words = page.locator(
            f"#{view} [data-t], header [data-t]:not(#language)"
        ).all_text_contents()
        assert words and not [one for one in words if CYRILLIC.search(one) or not one.strip()]
    page.keyboard.press("Escape")
    page.keyboard.press("l")
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    expect(page.locator(".hybrid h2")).to_have_text("Вместе")
    expect(page.locator(".hybrid li").first).to_be_visible()
    expect(page).to_have_title("Поиск по правилам · Служба объяснений")
    page.reload()
    expect(page.locator("h1:visible")).to_have_text("Поиск по правилам")


@pytest.mark.parametrize("locale", ["ru-RU", "en-US"])
def test_nothing_sticks_out_on_a_phone(open_console: OpenConsole, locale: str) -> None:
    page = open_console(viewport={"width": 360, "height": 740}, locale=locale)
    search(page, "как пишется слово корова")
    expect(page.locator(".hybrid li").first).to_be_visible()
    for view in VIEWS:
        page.goto(f"{page.url.split('#')[0]}#{view}")
        expect(page.locator(f"#{view} h1")).to_be_visible()
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_the_whole_page_is_small(open_console: OpenConsole, watch: Any) -> None:
    """What a browser loads for it with an empty cache, as it is, without any compression."""
    open_console()
    sizes = {
        request.url: len(request.response().body())
        for request in watch.requests
        if "/v1/" not in request.url and "/health" not in request.url
    }
    assert len(sizes) > 5
    assert sum(sizes.values()) <= LIMIT_BYTES, sizes


def test_the_state_is_that_of_the_service(
    open_console: OpenConsole, service: ConsoleService
) -> None:
    page = open_console("state")
    status = service.client.get("/v1/rag/status").json()
    expect(page.locator("#index")).to_contain_text(status["model"])
    expect(page.locator("#index")).to_contain_text(status["collection"])
    expect(page.locator("#dead")).to_have_text("0")
    page.route(
        "**/v1/rag/status",
        lambda route: route.fulfill(json={**status, "dead_letters": 3, "stream_lag": 41}),
    )
    expect(page.locator("#dead")).to_have_text("3")
    expect(page.locator("#strip")).to_contain_text("Ждут 41")
    expect(page.locator("#strip .bad")).to_contain_text("3")


def test_without_a_worker_it_says_so(
    open_console: OpenConsole, service: ConsoleService, rules: Rules
) -> None:
    """The last one, for the worker does not come back."""
    service.worker.stop()
    page = open_console("state")
    expect(page.locator("#workers")).to_have_text("Нет. Поиск идёт по словам, события ждут.")
    page.keyboard.press("/")
    search(page, unique("как пишется слово корова"))
    for lane in ("dense", "hybrid"):
        expect(page.locator(f".{lane} .badge")).to_have_text(["lexical", "неполно"])
    expect(page.locator(".lexical .badge")).to_have_text(["lexical"])
    expect(page.locator(".hybrid li").first).to_contain_text(rules["cow"][0])
    page.locator("nav [href='#edit']").click()
    write(page, "waits", "Правка без обработчика", "Подождёт.")
    expect(page.locator("#way-said")).to_have_text("Обработчиков нет. Событие ждёт в потоке.")
    expect(page.locator("#way .now")).to_contain_text("ждут 1")
