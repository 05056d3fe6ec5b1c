// The panel as a page of its own, for a second screen.
import { mount } from "./panel.js";

const host = document.createElement("div");
document.body.append(host);
mount(host, { base: new URL("../", import.meta.url) });
