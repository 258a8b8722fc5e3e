"""Clients of Debian's python3-paho-mqtt, told what to do by lines of JSON on standard input; what happens to them is lines of
JSON on standard output. Each is named by whoever opens it. Nothing is retried but the connection of one that `stays`."""
import json
import ssl
import sys
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

telling = threading.Lock()


def tell(**event):
    with telling:
        print(json.dumps(event), flush=True)


def note_of(message):
    return dict(getattr(getattr(message, "properties", None), "UserProperty", [])).get("note")


class Client:
    def __init__(self, name, line, id, keeps=False, stays=False, will=None):
        self.name, self.line, self.stays, self.is_wanted = name, line, stays, True
        self.five = line["version"] == 5
        transport = "websockets" if line["kind"] in ("ws", "wss") else "tcp"
        version = mqtt.MQTTv5 if self.five else mqtt.MQTTv311
        clean = {} if self.five else {"clean_session": not keeps}
        self.client = mqtt.Client(client_id=id, protocol=version, transport=transport, **clean)
        self.connecting = {}
        if self.five:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 3600 if keeps else 0
            self.connecting = {"clean_start": not keeps, "properties": properties}
        if line["kind"] in ("mqtts", "wss"):
            self.client.tls_set(ca_certs=line["ca"], tls_version=ssl.PROTOCOL_TLS_CLIENT)
        if will is not None:
            self.client.will_set(**will)
        self.client.on_connect = lambda *given: tell(event="open", name=name, code=int(getattr(given[3], "value", given[3])))
        self.client.on_subscribe = lambda *given: tell(event="subscribed", name=name)
        self.client.on_publish = lambda *given: tell(event="published", name=name)
        self.client.on_message = lambda client, data, message: tell(
            event="message", name=name, topic=message.topic, payload=message.payload.decode(),
            qos=message.qos, retain=bool(message.retain), note=note_of(message))
        self.client.connect("127.0.0.1", line["port"], 30, **self.connecting)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.is_wanted:
            if self.client.loop(0.02) == mqtt.MQTT_ERR_SUCCESS:
                continue
            while self.is_wanted and self.stays:
                time.sleep(0.1)
                try:
                    self.client.connect("127.0.0.1", self.line["port"], 30, **self.connecting)
                    break
                except OSError:
                    pass
            if not self.stays:
                break
        tell(event="closed", name=self.name)

    def subscribe(self, filter, qos):
        self.client.subscribe(filter, qos)

    def publish(self, topic, payload, qos, retain=False, note=None):
        properties = None
        if note is not None:
            properties = Properties(PacketTypes.PUBLISH)
            properties.UserProperty = ("note", note)
        self.client.publish(topic, payload, qos, retain, properties=properties)

    def leave(self):
        self.client.disconnect()
        self.end()

    def cut(self):
        """Without a word, as a device whose power is gone."""
        self.end()
        if self.client.socket() is not None:
            self.client.socket().close()

    def end(self):
        self.stays = self.is_wanted = False
        self.thread.join()


clients = {}
for order in map(json.loads, sys.stdin):
    name, op, given = order["name"], order["op"], order.get("given", {})
    if op == "open":
        clients[name] = Client(name, **given)
    else:
        getattr(clients[name], op)(**given)
