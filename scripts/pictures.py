"""Takes the pictures of docs/pictures, from a real Home Assistant in Debian's chromium. Runs for scripts/pictures."""

import json
import shutil

from playwright.sync_api import Page, sync_playwright

from home_assistant import AMAZON, HomeAssistant, home_assistant
from programs import main


def take(page: Page, name: str, x: int, y: int, width: int, height: int) -> None:
    page.wait_for_timeout(5000)  # ms: pages load in parts, and dialogs move
    page.screenshot(path=f"docs/pictures/{name}.png", clip={"x": x, "y": y, "width": width, "height": height})


def take_all(home: HomeAssistant, page: Page) -> None:
    for step in ("core_config", "analytics", "integration"):
        home.call(f"/api/onboarding/{step}", {"client_id": AMAZON[0], "redirect_uri": AMAZON[0]})
    login = {"access_token": home.token, "hassUrl": home.url, "expires": 10**15, "refresh_token": ""}
    page.add_init_script(f"localStorage.hassTokens = {json.dumps(json.dumps(login))}")

    page.goto(f"{home.url}/config/integrations/integration/alexa_relay")
    take(page, "integration", 256, 56, 744, 480)
    page.get_by_text("Kitchen Echo").first.click()
    take(page, "echo", 256, 0, 744, 560)
    [entry] = home.call("/api/config/config_entries/entry?domain=alexa_relay")
    page.request.delete(f"{home.url}/api/config/config_entries/entry/{entry['entry_id']}", headers=home.headers)
    page.goto(f"{home.url}/config/integrations/dashboard/add?domain=alexa_relay")
    page.get_by_text("OK", exact=True).click()
    take(page, "add_integration", 200, 280, 600, 240)


def start() -> None:
    with home_assistant() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        take_all(home, browser.new_page(viewport={"width": 1000, "height": 800}))


main(start)
