// The sound of a message that is not silent. Contents: one short chime, off by default.

let context = null;
let on = localStorage.getItem("sound") === "on";

export const soundIsOn = () => on;

export function toggleSound() {
  on = !on;
  localStorage.setItem("sound", on ? "on" : "off");
  if (on) chime();
}

/** Plays the chime, if sound is on and the browser allows it. */
export function chime() {
  if (!on) return;
  context ??= new AudioContext();
  const start = context.currentTime;
  for (const [place, pitch] of [880, 1318.5].entries()) {
    const tone = context.createOscillator();
    const level = context.createGain();
    tone.frequency.value = pitch;
    level.gain.setValueAtTime(0.0001, start + place * 0.09);
    level.gain.exponentialRampToValueAtTime(0.12, start + place * 0.09 + 0.01);
    level.gain.exponentialRampToValueAtTime(0.0001, start + place * 0.09 + 0.35);
    tone.connect(level).connect(context.destination);
    tone.start(start + place * 0.09);
    tone.stop(start + place * 0.09 + 0.4);
  }
}
