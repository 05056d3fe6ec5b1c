// Numbers as people read them, and elements as they are written.

export function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, String(value));
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

export function percent(share) {
  if (share == null) return "–";
  const hundredths = share * 100;
  const text = hundredths > 0 && hundredths < 1 ? String(Number(hundredths.toPrecision(2))) : hundredths.toFixed(1).replace(/\.0$/, "");
  return `${text} %`;
}

export function count(number) {
  return number == null ? "–" : number.toLocaleString("en-US", { maximumFractionDigits: 1 });
}

export function elapsed(seconds) {
  const whole = Math.round(Math.abs(seconds));
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
  const hours = Math.floor(whole / 3600);
  return `${seconds < -0.5 ? "−" : ""}${hours ? `${hours}:` : ""}${parts.join(":")}`;
}

export function duration(seconds) {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

export function words(name) {
  return String(name).replaceAll("_", " ");
}
