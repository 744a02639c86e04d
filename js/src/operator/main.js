/** The entry point of the operator's page. */

import { Session } from "../session.js";
import { OperatorPage } from "./page.js";

/** Below which path the server is: the page is at `<base>/transport/operator`. */
const baseUrl = location.pathname.replace(/\/transport\/operator\/?$/, "");
const session = new Session({ baseUrl });

Object.assign(window, { operatorPage: new OperatorPage({ document, session }), operatorSession: session });
session.start();
