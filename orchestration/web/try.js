// The page to try audio and WebSockets by hand.

import { TrialConsole } from "./try_console.js";
import { TrialAudio } from "./try_audio.js";

new TrialAudio();
new TrialConsole();
