// Creating elements. Contents: h(), icons, small formatting. Not here: state and requests.

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  send: ["M3.4 20.4 21 12 3.4 3.6l.1 6.6L15 12l-11.5 1.8z"],
  menu: ["M4 7h16M4 12h16M4 17h10"],
  back: ["M15 5l-7 7 7 7"],
  dots: ["M12 5v.01M12 12v.01M12 19v.01"],
  bell: ["M6 9a6 6 0 0 1 12 0c0 6 2.5 7 2.5 7h-17S6 15 6 9", "M10.3 20a2 2 0 0 0 3.4 0"],
  silent: ["M6 9a6 6 0 0 1 12 0c0 6 2.5 7 2.5 7h-17S6 15 6 9", "M4 4l16 16"],
  lock: ["M6 11h12v9H6z", "M8.5 11V8a3.5 3.5 0 0 1 7 0v3"],
  pin: ["M9 4h6l-1 6 3 3H7l3-3z", "M12 13v7"],
  sun: [
    "M12 4V2M12 22v-2M4 12H2M22 12h-2M6 6 4.6 4.6M19.4 19.4 18 18M6 18l-1.4 1.4M19.4 4.6 18 6",
    "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8",
  ],
  moon: ["M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z"],
  sound: ["M4 9v6h4l5 4V5L8 9z", "M16.5 8.5a5 5 0 0 1 0 7M19 6a9 9 0 0 1 0 12"],
  mute: ["M4 9v6h4l5 4V5L8 9z", "M17 9.5l5 5M22 9.5l-5 5"],
  scan: ["M4 8V5a1 1 0 0 1 1-1h3M16 4h3a1 1 0 0 1 1 1v3M20 16v3a1 1 0 0 1-1 1h-3M8 20H5a1 1 0 0 1-1-1v-3", "M4 12h16"],
  wifi: ["M2.5 9a14 14 0 0 1 19 0M5.5 12.5a9.5 9.5 0 0 1 13 0M8.7 16a5 5 0 0 1 6.6 0", "M12 19.5v.01"],
  nowifi: ["M2.5 9a14 14 0 0 1 19 0M5.5 12.5a9.5 9.5 0 0 1 13 0M8.7 16a5 5 0 0 1 6.6 0", "M12 19.5v.01", "M4 3l16 18"],
  logout: ["M14 4H6a1 1 0 0 0-1 1v14a1 1 0 0 0 1 1h8", "M10 12h11M17 8l4 4-4 4"],
  conflict: ["M3 5h10v7H3zM11 12h10v7H11z"],
  message: ["M4 5h16v11H10l-5 4v-4H4z"],
  key: ["M14.5 9.5a4 4 0 1 0-3.4 4L13 15.5h2v2h2v2h3v-3z", "M8.5 9.5v.01"],
  crash: ["M13 2 5 13h6l-1 9 8-12h-6z"],
  hang: ["M7 3h10M7 21h10M8 3c0 5 8 6 8 9s-8 4-8 9M16 3c0 5-8 6-8 9s8 4 8 9"],
  silence: ["M4 12h2M9 12h2M14 12h2M19 12h1"],
  reload: ["M20 11a8 8 0 1 0-.7 4.5", "M20 4v7h-7"],
  check: ["M5 12.5 10 17.5 19.5 7"],
  plus: ["M12 5v14M5 12h14"],
  close: ["M6 6l12 12M18 6 6 18"],
  eye: ["M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12z", "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6"],
  block: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18", "M5.7 5.7l12.6 12.6"],
  link: [
    "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1.3 1.3",
    "M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1.3-1.3",
  ],
  hand: ["M5 12c2-6 12-6 14 0", "M12 12v7M8 16l4 4 4-4"],
  heart: ["M12 20s-8-5-8-11a4.5 4.5 0 0 1 8-2.8A4.5 4.5 0 0 1 20 9c0 6-8 11-8 11z"],
  forum: ["M4 5h12v8H9l-4 3v-3H4z", "M18 9h2v8h-1v3l-4-3H9"],
  chevron: ["M9 6l6 6-6 6"],
};

/** Creates an element. Properties starting with "on" are listeners, `data` a dataset, `html` trusted server HTML. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "html") node.innerHTML = value;
    else if (name === "class") node.className = value;
    else if (name in node && name !== "list") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Returns a line icon by name. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  for (const d of PATHS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/** A button with only an icon, with a label for screen readers. */
export function iconButton(name, label, onclick, extra = {}) {
  return h(
    "button",
    { type: "button", class: "icon-button", title: label, "aria-label": label, onclick, ...extra },
    icon(name),
  );
}

/** Hours and minutes of a time in seconds. */
export function clock(seconds, { withSeconds = false } = {}) {
  const options = { hour: "2-digit", minute: "2-digit", ...(withSeconds ? { second: "2-digit" } : {}) };
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", options);
}

/** A number in its readable form: +49 1511 2345678. */
export function spaced(number) {
  return number.replace(/^(\+49)(\d{4})(\d+)$/, "$1 $2 $3");
}

const HUES = [212, 152, 28, 276, 340, 188, 46];

/** A round picture with initials, always in the same colour for the same name. */
export function avatar(name, extra = "") {
  const initials = name
    .split(/\s+/)
    .map((word) => word[0])
    .join("")
    .slice(0, 2)
    .toUpperCase();
  const sum = [...name].reduce((total, letter) => total + letter.codePointAt(0), 0);
  const node = h("span", { class: `avatar ${extra}`, "aria-hidden": "true" }, initials);
  node.style.setProperty("--hue", HUES[sum % HUES.length]);
  return node;
}

const toasts = () => document.getElementById("toasts");

/** Shows one line for a few seconds; kind is "", "good" or "bad". */
export function toast(text, kind = "") {
  const node = h("div", { class: `toast ${kind}` }, text);
  toasts().append(node);
  setTimeout(() => node.classList.add("leaving"), 3600);
  setTimeout(() => node.remove(), 4000);
}
